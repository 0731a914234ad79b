//! Files and blobs in chunks, over connections that drop.

use std::io::{self, Cursor, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use nimbus_client::client::{
    BLOB_CHUNK_BYTES, ClientError, ClientOptions, FILE_CHUNK_BYTES, NimbusClient, Progress,
};
use nimbus_client::thrift::{
    AuthorizationException, BeginDownloadResult, ListBlobsResult, SettableBlobMeta,
};

use crate::script::{
    Step, answer, client, exception, hang_up, leader_is, leading, nothing, options, result, step,
    text,
};

/// Takes a chunk: the bytes of field 2 of the arguments are handed on.
fn take_chunk(chunks: &SyncSender<Vec<u8>>) -> Step {
    let chunks = chunks.clone();
    step(move |peer| {
        let call = peer.call()?;
        // Field 1 is a text with its length, field 2 the chunk with its own.
        let first = u32::from_be_bytes(peer.arguments[3..7].try_into().expect("four bytes"));
        let second = 7 + first as usize + 3 + 4;
        let end = peer.arguments.len() - 1;
        chunks.send(peer.arguments[second..end].to_vec()).expect("the test listens");
        peer.write(&crate::script::frame(&call, ::thrift::protocol::TMessageType::Reply, &[0]))
    })
}

fn collected(chunks: &Receiver<Vec<u8>>) -> Vec<Vec<u8>> {
    chunks.try_iter().collect()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 % 251) as u8).collect()
}

#[test]
fn a_file_is_uploaded_in_chunks_with_progress() {
    let (sender, chunks) = sync_channel(10);
    let server = leading(|address| {
        let chunk = || take_chunk(&sender);
        vec![vec![
            leader_is(address),
            answer(text("inbox/1")),
            chunk(),
            chunk(),
            chunk(),
            answer(nothing()),
        ]]
    });
    let bytes = content(2 * FILE_CHUNK_BYTES + 5);
    let mut seen = Vec::new();
    let location = client(&server)
        .upload_file(&mut Cursor::new(&bytes), &mut |progress| seen.push(progress))
        .expect("it is uploaded");
    assert_eq!(location, "inbox/1");
    let chunks = collected(&chunks);
    let lengths: Vec<usize> = chunks.iter().map(Vec::len).collect();
    assert_eq!(lengths, [FILE_CHUNK_BYTES, FILE_CHUNK_BYTES, 5]);
    assert_eq!(chunks.concat(), bytes);
    let total = Some(bytes.len() as u64);
    let chunk = FILE_CHUNK_BYTES as u64;
    let done = [0, chunk, 2 * chunk, 2 * chunk + 5];
    assert_eq!(seen, done.map(|done| Progress { done, total }));
    server.finish();
}

#[test]
fn a_dropped_connection_begins_the_upload_anew() {
    let (sender, chunks) = sync_channel(10);
    let server = leading(|address| {
        let chunk = || take_chunk(&sender);
        vec![
            vec![leader_is(address), answer(text("inbox/1")), chunk(), hang_up()],
            vec![leader_is(address), answer(text("inbox/2")), chunk(), chunk(), answer(nothing())],
        ]
    });
    let bytes = content(FILE_CHUNK_BYTES + 1);
    let mut done = Vec::new();
    let location = client(&server)
        .upload_file(&mut Cursor::new(&bytes), &mut |progress| done.push(progress.done))
        .expect("the second connection holds");
    assert_eq!(location, "inbox/2");
    assert_eq!(collected(&chunks)[1..].concat(), bytes);
    let chunk = FILE_CHUNK_BYTES as u64;
    assert_eq!(done, [0, chunk, 0, chunk, chunk + 1]);
    server.finish();
}

#[test]
fn an_upload_that_is_not_allowed_is_not_repeated() {
    let refused = exception(1, &AuthorizationException::new("no".to_owned()));
    let server = leading(|address| vec![vec![leader_is(address), answer(refused)]]);
    let error = client(&server)
        .upload_file(&mut Cursor::new(b"x"), &mut |_| {})
        .expect_err("it is not allowed");
    assert!(matches!(error, ClientError::Authorization { .. }), "{error:?}");
    server.finish();
}

#[test]
fn chunks_are_smaller_where_frames_are() {
    let (sender, chunks) = sync_channel(10);
    let server = leading(|address| {
        let chunk = || take_chunk(&sender);
        vec![vec![leader_is(address), answer(text("inbox/1")), chunk(), chunk(), answer(nothing())]]
    });
    let options = ClientOptions { frame_bytes: 4096, ..options() };
    let mut nimbus = NimbusClient::new(vec![server.address.clone()], options);
    let bytes = content(4000);
    nimbus.upload_file(&mut Cursor::new(&bytes), &mut |_| {}).expect("it is uploaded");
    assert_eq!(collected(&chunks).concat(), bytes);
    server.finish();
}

#[test]
fn a_blob_is_created_in_chunks_and_cancelled_when_that_fails() {
    let meta = SettableBlobMeta::new(Vec::new(), Some(1));
    let (sender, chunks) = sync_channel(10);
    let server = leading(|address| {
        let chunk = || take_chunk(&sender);
        let refused = exception(1, &AuthorizationException::new("no".to_owned()));
        vec![vec![
            leader_is(address),
            answer(text("session-1")),
            chunk(),
            chunk(),
            answer(nothing()),
            answer(text("session-2")),
            answer(refused),
            answer(nothing()),
        ]]
    });
    let mut nimbus = client(&server);
    let bytes = content(BLOB_CHUNK_BYTES + 9);
    nimbus.create_blob("key", &meta, &mut Cursor::new(&bytes), &mut |_| {}).expect("it is created");
    assert_eq!(collected(&chunks).concat(), bytes);
    nimbus
        .update_blob("key", &mut Cursor::new(&bytes), &mut |_| {})
        .expect_err("the chunk is refused");
    let called = server.finish();
    let expected = [
        "getLeader",
        "beginCreateBlob",
        "uploadBlobChunk",
        "uploadBlobChunk",
        "finishBlobUpload",
        "beginUpdateBlob",
        "uploadBlobChunk",
        "cancelBlobUpload",
    ];
    assert_eq!(called, [expected]);
}

#[test]
fn a_blob_is_read_to_its_end() {
    let begun = BeginDownloadResult::new(3, "session".to_owned(), Some(5));
    let server = leading(|address| {
        vec![vec![
            leader_is(address),
            answer(result(&begun)),
            answer(text("hel")),
            answer(text("lo")),
            answer(text("")),
        ]]
    });
    let mut sink = Vec::new();
    let mut last = None;
    let version = client(&server)
        .read_blob("key", &mut sink, &mut |progress| last = Some(progress))
        .expect("it is read");
    assert_eq!((version, sink.as_slice()), (3, &b"hello"[..]));
    assert_eq!(last, Some(Progress { done: 5, total: Some(5) }));
    server.finish();
}

#[test]
fn a_sink_that_is_full_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let begun = BeginDownloadResult::new(3, "session".to_owned(), None);
    let server = leading(|address| {
        vec![vec![leader_is(address), answer(result(&begun)), answer(text("hel"))]]
    });
    let error = client(&server).read_blob("key", &mut Full, &mut |_| {}).expect_err("it is full");
    assert_eq!(error.to_string(), "what was downloaded cannot be written: no storage space");
    server.finish();
}

#[test]
fn blobs_are_listed_page_by_page() {
    let page = |keys: &[&str], session: &str| {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        answer(result(&ListBlobsResult::new(keys, session.to_owned())))
    };
    let server = leading(|address| {
        vec![vec![leader_is(address), page(&["a", "b"], "s"), page(&["c"], "s"), page(&[], "s")]]
    });
    assert_eq!(client(&server).blobs().expect("it answers"), ["a", "b", "c"]);
    server.finish();
}
