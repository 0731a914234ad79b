//! How a node stands in the file: a header of 48 bytes in little endian, then its data.
//!
//! ```text
//! 0        4        8        12       16       24       32       40       48
//! ├────────┼────────┼────────┼────────┼────────┼────────┼────────┼────────┼──────
//! │ version│ creates│children│ zero   │ owner  │ created│modified│ zero   │ data
//! ```

use crate::cluster::tree::Node;

const HEADER_BYTES: usize = 48;

/// A node as bytes.
pub fn encode(node: &Node) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + node.data.len());
    bytes.extend(node.version.to_le_bytes());
    bytes.extend(node.creates.to_le_bytes());
    bytes.extend(node.children.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(node.owner.to_le_bytes());
    bytes.extend(node.created.to_le_bytes());
    bytes.extend(node.modified.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(&node.data);
    bytes
}

/// A node out of bytes; nothing if they are too few.
pub fn decode(bytes: &[u8]) -> Option<Node> {
    let (header, data) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let four = |at: usize| <[u8; 4]>::try_from(&header[at..at + 4]).expect("four bytes are four");
    let eight = |at: usize| <[u8; 8]>::try_from(&header[at..at + 8]).expect("eight are eight");
    Some(Node {
        data: data.to_vec(),
        version: i32::from_le_bytes(four(0)),
        creates: u32::from_le_bytes(four(4)),
        children: u32::from_le_bytes(four(8)),
        owner: i64::from_le_bytes(eight(16)),
        created: i64::from_le_bytes(eight(24)),
        modified: i64::from_le_bytes(eight(32)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_survives_and_a_stump_is_none() {
        let node = Node {
            data: vec![1, 2, 3],
            version: -1,
            creates: u32::MAX,
            children: 7,
            owner: i64::MIN,
            created: 5,
            modified: i64::MAX,
        };
        let bytes = encode(&node);
        assert_eq!(decode(&bytes), Some(node));
        assert_eq!(decode(&bytes[..HEADER_BYTES - 1]), None);
    }
}
