//! Where a blob's two files are: Storm's buckets, pure.

use std::path::{Path, PathBuf};

use super::BlobKey;

const BUCKETS: i64 = 1024;
const DATA: &str = "data_";
const META: &str = "meta_";
/// Name of the one file in a folder named after a key.
const FILE: &str = "data";
/// Folder of what is not finished.
const UPLOADING: &str = "uploading";

/// A store's folder.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// File with a blob's bytes.
    pub fn data(&self, key: &BlobKey) -> PathBuf {
        self.file(&format!("{DATA}{key}"))
    }

    /// File with a blob's meta data.
    pub fn meta(&self, key: &BlobKey) -> PathBuf {
        self.file(&format!("{META}{key}"))
    }

    pub fn uploading(&self) -> PathBuf {
        self.folder.join(UPLOADING)
    }

    /// All bucket folders, whether they are there or not.
    pub fn buckets(&self) -> impl Iterator<Item = PathBuf> + '_ {
        (0..BUCKETS).map(|bucket| self.folder.join(bucket.to_string()))
    }

    fn file(&self, prefixed: &str) -> PathBuf {
        self.folder.join(bucket(prefixed).to_string()).join(prefixed).join(FILE)
    }
}

/// What stands in a bucket.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// The folder of a blob's bytes.
    Data(BlobKey),
    /// The folder of a blob's meta data.
    Meta(BlobKey),
}

/// What a name in a bucket stands for, if it is one of ours.
pub fn entry(name: &str) -> Option<Entry> {
    match name.strip_prefix(DATA) {
        Some(key) => key.parse().ok().map(Entry::Data),
        None => name.strip_prefix(META)?.parse().ok().map(Entry::Meta),
    }
}

/// The bucket by Java's hash of the text.
fn bucket(prefixed: &str) -> i64 {
    let hash = prefixed
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    i64::from(hash).abs() % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_java() {
        assert_eq!(bucket("hello"), 99_162_322 % 1024);
        // The one text whose hash has no positive counterpart in 32 bits.
        assert_eq!(bucket("polygenelubricants"), 2_147_483_648 % 1024);
        let layout = Layout::new(Path::new("/b"));
        let key: BlobKey = "greeting".parse().expect("a key");
        let data = layout.data(&key);
        assert!(data.ends_with("data_greeting/data"), "{}", data.display());
        assert_ne!(layout.meta(&key).parent(), data.parent());
    }

    #[test]
    fn only_names_of_blobs_are_read() {
        let key = |text: &str| text.parse::<BlobKey>().expect("a key");
        assert_eq!(entry("data_a"), Some(Entry::Data(key("a"))));
        assert_eq!(entry("meta_data_a"), Some(Entry::Meta(key("data_a"))));
        assert_eq!(entry("lost+found"), None);
        assert_eq!(entry("data_"), None);
    }
}
