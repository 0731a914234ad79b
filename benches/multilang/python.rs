//! The children: an echo bolt on each adapter, and the plain loop.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use storm_runtime::shell::ShellBolt;
use tempfile::TempDir;

/// An echo bolt as both adapters have it.
const ECHO: &str = "\
import storm

class Echo(storm.BasicBolt):
    def process(self, tup):
        storm.emit(tup.values)

Echo().run()
";

/// What an echo in Python has to do at least: read a batch, take each tuple apart, make each one anew,
/// write the batch.
const LOOP: &str = "\
import struct, sys
head = struct.Struct('>IH')
source, sink = sys.stdin.buffer, sys.stdout.buffer
while True:
    size = source.read(4)
    if len(size) < 4:
        break
    data = source.read(int.from_bytes(size, 'big'))
    at, out = 0, []
    while at < len(data):
        number, length = head.unpack_from(data, at)
        at += 6
        text = data[at:at + length].decode()
        at += length
        reply = text.encode()
        out.append(head.pack(number, len(reply)))
        out.append(reply)
    body = b''.join(out)
    sink.write(len(body).to_bytes(4, 'big') + body)
    sink.flush()
";

/// Whose file a child imports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adapter {
    Stock,
    Ours,
}

impl fmt::Display for Adapter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Stock => "Storm's",
            Self::Ours => "our",
        })
    }
}

/// A folder with the children.
#[derive(Clone)]
pub struct Scripts(Arc<TempDir>);

impl Scripts {
    pub fn write() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["stock", "ours"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
            std::fs::write(folder.path().join(name).join("echo.py"), ECHO).expect("a file");
        }
        std::fs::write(folder.path().join("loop.py"), LOOP).expect("a file");
        let ours = repository.join("topologies/multilang/python/storm.py");
        std::fs::copy(ours, folder.path().join("ours/storm.py")).expect("our adapter is there");
        let fetched = Command::new(repository.join("scripts/stock-multilang"))
            .arg(folder.path().join("stock"))
            .status();
        if !fetched.is_ok_and(|status| status.success()) {
            eprintln!("multilang: Storm's own adapter cannot be had, its rows are left out");
        }
        Self(Arc::new(folder))
    }

    pub fn has(&self, adapter: Adapter) -> bool {
        self.folder(adapter).join("storm.py").is_file()
    }

    pub fn plain_loop(&self) -> Command {
        let mut command = Command::new("python3");
        command.arg(self.0.path().join("loop.py"));
        command
    }

    pub fn echo(&self, adapter: Adapter, framing: &str) -> ShellBolt {
        ShellBolt::new(["python3", "echo.py"])
            .directory(self.folder(adapter))
            .output(["text"])
            .serializer(framing)
    }

    fn folder(&self, adapter: Adapter) -> PathBuf {
        self.0.path().join(match adapter {
            Adapter::Stock => "stock",
            Adapter::Ours => "ours",
        })
    }
}
