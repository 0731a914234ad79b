//! The store as Nimbus uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nimbus_client::thrift::{AccessControl, AccessControlType, SettableBlobMeta};

use super::*;
use crate::clock::{Clock, SimulatedClock};

struct Place {
    clock: SimulatedClock,
    store: BlobStore,
    folder: tempfile::TempDir,
}

fn conf(is_enabled: bool) -> BlobConf {
    let acl = AclPolicy { is_enabled, ..AclPolicy::default() };
    BlobConf { max_blob_bytes: 1000, chunk_bytes: 7, acl, ..BlobConf::default() }
}

fn place_with(conf: BlobConf) -> Place {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let clock = SimulatedClock::new();
    let store = BlobStore::open(&blobs(&folder), conf, clock.clock()).expect("it opens");
    Place { clock, store, folder }
}

fn place() -> Place {
    place_with(conf(false))
}

fn blobs(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("blobs")
}

fn open() -> SettableBlobMeta {
    SettableBlobMeta::new(world(), 1)
}

fn put(store: &BlobStore, key: &str, data: &[u8]) -> i64 {
    store.create(key, &open(), &mut &*data, &Caller::default()).expect("it is made")
}

fn download(store: &BlobStore, session: &str) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let chunk = store.download_chunk(session).expect("it is read");
        if chunk.is_empty() {
            return data;
        }
        data.extend(chunk);
    }
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    let entries =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it is read"));
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_blob_is_there_when_its_upload_is_finished() {
    let Place { store, folder: _folder, .. } = place();
    let nobody = Caller::default();
    let session = store.begin_create("greeting", &open(), &nobody).expect("it begins");
    store.upload_chunk(&session, b"12345").expect("it is written");
    assert!(!store.exists("greeting"));
    assert!(matches!(store.meta("greeting", &nobody), Err(BlobError::NotFound { .. })));
    store.upload_chunk(&session, b"6789").expect("it is written");
    // The check value of CRC32C.
    assert_eq!(store.finish_upload(&session).expect("it is finished"), 0xe306_9283);

    let meta = store.meta("greeting", &nobody).expect("it is there");
    assert_eq!((meta.version, &meta.settable), (0xe306_9283, &open()));
    let begun = store.begin_download("greeting", &nobody).expect("it is there");
    assert_eq!((begun.version, begun.data_size), (0xe306_9283, Some(9)));
    assert_eq!(store.download_chunk(&begun.session).expect("it is read"), b"1234567");
    assert_eq!(download(&store, &begun.session), b"89");
    let over = store.download_chunk(&begun.session);
    assert!(matches!(over, Err(BlobError::NoSession { .. })), "{over:?}");
}

#[test]
fn the_first_upload_that_finishes_wins() {
    let Place { store, folder, .. } = place();
    let nobody = Caller::default();
    let first = store.begin_create("k", &open(), &nobody).expect("it begins");
    let second = store.begin_create("k", &open(), &nobody).expect("nothing is there yet");
    store.upload_chunk(&second, b"second").expect("it is written");
    store.finish_upload(&second).expect("it is the first to finish");
    let late = store.finish_upload(&first);
    assert!(matches!(late, Err(BlobError::AlreadyExists { .. })), "{late:?}");
    assert_eq!(store.read("k", 100, &nobody).expect("it is read"), b"second");
    assert!(store.begin_create("k", &open(), &nobody).is_err());
    assert_eq!(files(&blobs(&folder)), 2, "data and meta data");
}

#[test]
fn an_update_replaces_bytes_and_version_and_keeps_meta_data() {
    let Place { store, folder: _folder, .. } = place();
    let nobody = Caller::default();
    let before = put(&store, "k", b"before");
    let reading = store.begin_download("k", &nobody).expect("it is there");
    let session = store.begin_update("k", &nobody).expect("it begins");
    store.upload_chunk(&session, b"after").expect("it is written");
    assert_eq!(store.meta("k", &nobody).expect("it is there").version, before);
    let after = store.finish_upload(&session).expect("it is finished");
    assert_ne!(before, after);
    let meta = store.meta("k", &nobody).expect("it is there");
    assert_eq!((meta.version, meta.settable), (after, open()));
    assert_eq!(download(&store, &reading.session), b"before", "a reader keeps what he began");
    assert_eq!(store.read("k", 5, &nobody).expect("it is read"), b"after");
    assert!(matches!(store.read("k", 4, &nobody), Err(BlobError::TooLarge { limit: 4, .. })));
}

#[test]
fn a_deleted_blob_is_gone_and_an_update_of_it_fails() {
    let Place { store, folder, .. } = place();
    let nobody = Caller::default();
    put(&store, "k", b"data");
    let session = store.begin_update("k", &nobody).expect("it begins");
    let reading = store.begin_download("k", &nobody).expect("it is there");
    store.delete("k", &nobody).expect("it is deleted");
    let late = store.finish_upload(&session);
    assert!(matches!(late, Err(BlobError::NotFound { .. })), "{late:?}");
    assert!(matches!(store.delete("k", &nobody), Err(BlobError::NotFound { .. })));
    assert_eq!(download(&store, &reading.session), b"data");
    assert_eq!(files(&blobs(&folder)), 0);
    put(&store, "k", b"again");
}

#[test]
fn a_cancelled_upload_leaves_nothing() {
    let Place { store, folder, .. } = place();
    let session = store.begin_create("k", &open(), &Caller::default()).expect("it begins");
    store.upload_chunk(&session, b"data").expect("it is written");
    store.cancel_upload(&session).expect("it is open");
    assert!(matches!(store.cancel_upload(&session), Err(BlobError::NoSession { .. })));
    assert_eq!(files(&blobs(&folder)), 0);
}

#[test]
fn an_idle_session_expires_with_what_it_had() {
    let Place { store, clock, folder } = place();
    put(&store, "k", b"data");
    let upload = store.begin_update("k", &Caller::default()).expect("it begins");
    let reading = store.begin_download("k", &Caller::default()).expect("it is there");
    let listing = store.list("").expect("it begins");
    clock.advance(Duration::from_secs(601));
    assert_eq!(store.expire_sessions(), 3);
    for gone in [
        store.upload_chunk(&upload, b"").err(),
        store.download_chunk(&reading.session).err(),
        store.list(&listing.session).err(),
    ] {
        assert!(matches!(gone, Some(BlobError::NoSession { .. })), "{gone:?}");
    }
    assert_eq!(files(&blobs(&folder)), 2);
}

#[test]
fn a_blob_over_the_limit_ends_its_upload() {
    let Place { store, folder, .. } = place();
    let session = store.begin_create("k", &open(), &Caller::default()).expect("it begins");
    store.upload_chunk(&session, &[0; 1000]).expect("it fits");
    let text = store.upload_chunk(&session, b"x").expect_err("too large").to_string();
    assert!(text.contains("'k'") && text.contains("1000 bytes"), "{text}");
    assert!(matches!(store.finish_upload(&session), Err(BlobError::NoSession { .. })));
    assert_eq!(files(&blobs(&folder)), 0);
}

#[test]
fn keys_are_listed_in_pages_of_a_hundred() {
    let Place { store, folder: _folder, .. } = place();
    for number in 0..201 {
        put(&store, &format!("k{number:03}"), b"");
    }
    let mut page = store.list("").expect("it begins");
    let session = page.session.clone();
    let mut keys = Vec::new();
    let mut pages = Vec::new();
    while !page.keys.is_empty() {
        pages.push(page.keys.len());
        keys.extend(page.keys);
        page = store.list(&session).expect("it goes on");
        assert_eq!(page.session, session);
    }
    assert_eq!(pages, [100, 100, 1]);
    let expected: Vec<String> = (0..201).map(|number| format!("k{number:03}")).collect();
    assert_eq!(keys, expected);
    assert!(store.list(&session).is_err(), "its end was told");
}

#[test]
fn a_restart_keeps_what_was_finished_and_nothing_else() {
    let Place { store, folder, .. } = place();
    put(&store, "kept", b"data");
    let session = store.begin_create("lost", &open(), &Caller::default()).expect("it begins");
    store.upload_chunk(&session, b"half").expect("it is written");
    // As a crash would: nothing is cleaned up. And one between meta data and data.
    std::mem::forget(store);
    let half = blobs(&folder).join("7/meta_half");
    fs::create_dir_all(&half).expect("it is made");
    fs::write(half.join("data"), "meta").expect("it is written");
    assert_eq!(files(&blobs(&folder)), 4);

    let store = BlobStore::open(&blobs(&folder), conf(false), Clock::system()).expect("it opens");
    let keys: Vec<String> =
        store.keys().expect("they are read").iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["kept"]);
    assert_eq!(store.read("kept", 100, &Caller::default()).expect("it is read"), b"data");
    assert_eq!(files(&blobs(&folder)), 2);
}

#[test]
fn rights_are_asked_for_where_lists_are_looked_at() {
    let Place { store, folder: _folder, .. } = place_with(conf(true));
    let (ann, bob) = (Caller::user("ann"), Caller::user("bob"));
    let read_only = AccessControl::new(AccessControlType::USER, "bob".to_owned(), ACCESS_READ);
    let meta = SettableBlobMeta::new(vec![read_only], None);
    store.create("k", &meta, &mut &b"data"[..], &ann).expect("it is hers");
    assert_eq!(store.read("k", 100, &bob).expect("he may read"), b"data");
    let refused = |answer: Option<BlobError>| {
        assert!(matches!(answer, Some(BlobError::NotAllowed { .. })), "{answer:?}");
    };
    refused(store.begin_update("k", &bob).err());
    refused(store.delete("k", &bob).err());
    refused(store.set_meta("k", &meta, &bob).err());
    refused(store.begin_download("k", &Caller::user("eve")).err());
    refused(store.meta("k", &Caller::user("eve")).err());
    assert_eq!(store.meta("k", &bob).expect("he may read").settable.acl.len(), 2);

    let to_all = SettableBlobMeta::new(world(), None);
    store.set_meta("k", &to_all, &ann).expect("she may administer");
    store.read("k", 100, &Caller::user("eve")).expect("everybody may");
    let administers = store.meta("k", &ann).expect("she may").settable.acl;
    assert!(administers.iter().any(|entry| entry.name.as_deref() == Some("ann")));
    store.delete("k", &Caller::nimbus()).expect("Nimbus may do everything");
}

#[test]
fn keys_that_climb_are_refused_everywhere() {
    let Place { store, folder: _folder, .. } = place();
    let nobody = Caller::default();
    for bad in ["../k", "a/b", "..", ""] {
        let is_refused = |error: Option<BlobError>| {
            assert!(matches!(error, Some(BlobError::Key(_))), "{bad:?}: {error:?}");
        };
        is_refused(store.begin_create(bad, &open(), &nobody).err());
        is_refused(store.begin_update(bad, &nobody).err());
        is_refused(store.meta(bad, &nobody).err());
        is_refused(store.set_meta(bad, &open(), &nobody).err());
        is_refused(store.begin_download(bad, &nobody).err());
        is_refused(store.delete(bad, &nobody).err());
        assert!(!store.exists(bad));
    }
}

#[test]
fn a_folder_that_vanished_is_told() {
    let Place { store, folder, .. } = place();
    put(&store, "k", b"data");
    fs::remove_dir_all(blobs(&folder)).expect("it is removed");
    let error = store.begin_create("other", &open(), &Caller::default()).expect_err("no folder");
    assert!(matches!(error, BlobError::Vanished { .. }), "{error:?}");
    assert!(error.to_string().contains("is gone while it was in use"), "{error}");
    assert!(matches!(store.meta("k", &Caller::default()), Err(BlobError::NotFound { .. })));
}

#[test]
fn an_upload_whose_file_vanished_fails_and_leaves_nothing() {
    let Place { store, folder, .. } = place();
    let session = store.begin_create("k", &open(), &Caller::default()).expect("it begins");
    let uploading = blobs(&folder).join("uploading");
    fs::remove_file(uploading.join(&session)).expect("it is removed");
    let error = store.finish_upload(&session).expect_err("there is nothing to put in its place");
    assert!(matches!(error, BlobError::Vanished { .. }), "{error:?}");
    assert!(!store.exists("k"));
}

#[test]
fn damaged_meta_data_are_told_by_key() {
    let Place { store, folder, .. } = place();
    put(&store, "k", b"data");
    let meta = files_named(&blobs(&folder), "meta_k");
    fs::write(meta.join("data"), "nonsense").expect("it is written");
    let error = store.meta("k", &Caller::default()).expect_err("nonsense");
    assert!(
        matches!(error, BlobError::Meta { .. }) && error.to_string().contains("'k'"),
        "{error}"
    );
}

fn files_named(folder: &Path, name: &str) -> PathBuf {
    let buckets = fs::read_dir(folder).expect("it is there");
    buckets
        .map(|bucket| bucket.expect("it is read").path().join(name))
        .find(|path| path.exists())
        .expect("it is in a bucket")
}

#[test]
fn files_and_folders_are_for_their_user_alone() {
    let Place { store, folder, .. } = place();
    put(&store, "k", b"data");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let data = files_named(&blobs(&folder), "data_k");
    assert_eq!(
        (mode(&blobs(&folder)), mode(&data), mode(&data.join("data"))),
        (0o700, 0o700, 0o600)
    );
}

#[test]
fn a_full_disk_is_a_sentence() {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = BlobError::io("written", Path::new("/b/uploading/x"), source);
    assert!(matches!(error, BlobError::DiskFull { .. }));
    let text = error.to_string();
    assert!(text.contains("no room on the disk for /b/uploading/x: make room"), "{text}");
}

#[test]
fn uploads_of_many_threads_do_not_mix() {
    let Place { store, folder: _folder, .. } = place();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..5 {
                    let key = format!("k-{thread}-{round}");
                    let session =
                        store.begin_create(&key, &open(), &Caller::default()).expect("begins");
                    (0..10)
                        .for_each(|_| store.upload_chunk(&session, &[thread; 9]).expect("written"));
                    store.finish_upload(&session).expect("it is finished");
                }
            });
        }
    });
    for thread in 0..4_u8 {
        let data =
            store.read(&format!("k-{thread}-4"), 1000, &Caller::default()).expect("it is there");
        assert_eq!(data, [thread; 90]);
    }
    assert_eq!(store.keys().expect("they are read").len(), 20);
}
