//! Servers that follow a script, one list of steps per connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::thrift::protocol::{
    TBinaryOutputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
};
use nimbus_client::client::{Address, ClientOptions, NimbusClient, Retry};
use nimbus_client::thrift::NimbusSummary;
use nimbus_client::wire::{
    ApplicationErrorKind, Limits, MessageHeader, TSerializable, message_header, to_bytes,
};

/// Longest that a server waits for a client; far more than any test takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does next on a connection.
pub struct Step(Box<Deed>);

type Deed = dyn FnOnce(&mut Peer) -> io::Result<()> + Send;

/// A connection as the server sees it.
pub struct Peer {
    stream: TcpStream,
    /// Names of the methods that were called.
    methods: Vec<String>,
    /// The message that came last, without its header.
    pub arguments: Vec<u8>,
}

impl Peer {
    /// Reads one call.
    pub fn call(&mut self) -> io::Result<MessageHeader> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut message)?;
        let limits = Limits::default().with_frame_bytes(usize::MAX);
        let (header, length) = message_header(&message, &limits).map_err(io::Error::other)?;
        self.methods.push(header.method.clone());
        self.arguments = message.split_off(length);
        Ok(header)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Closes the connection.
    pub fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Both)
    }

    /// Waits until the client has closed the connection.
    pub fn wait_for_end(&mut self) -> io::Result<()> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).map(|_| ())
    }
}

/// A step of its own kind.
pub fn step(step: impl FnOnce(&mut Peer) -> io::Result<()> + Send + 'static) -> Step {
    Step(Box::new(step))
}

/// Answers the next call with the fields of its result.
pub fn answer(fields: Vec<u8>) -> Step {
    step(move |peer| {
        let call = peer.call()?;
        peer.write(&frame(&call, TMessageType::Reply, &fields))
    })
}

/// Answers the next call with an exception that its method does not declare.
pub fn refuse(kind: ApplicationErrorKind, message: &'static str) -> Step {
    step(move |peer| {
        let call = peer.call()?;
        let mut fields = vec![11, 0, 1];
        fields.extend((message.len() as u32).to_be_bytes());
        fields.extend(message.as_bytes());
        fields.extend([8, 0, 2]);
        fields.extend((kind as i32).to_be_bytes());
        fields.push(0);
        peer.write(&frame(&call, TMessageType::Exception, &fields))
    })
}

/// Reads the next call and closes the connection.
pub fn hang_up() -> Step {
    step(|peer| peer.call().map(|_| ()))
}

/// Reads the next call and says nothing until the client gives up.
pub fn silence() -> Step {
    step(|peer| {
        peer.call()?;
        peer.wait_for_end()
    })
}

/// A whole frame in answer to `call`.
pub fn frame(call: &MessageHeader, kind: TMessageType, fields: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut output = TBinaryOutputProtocol::new(&mut message, true);
    let header = TMessageIdentifier::new(call.method.clone(), kind, call.sequence_number);
    output.write_message_begin(&header).expect("memory takes it");
    message.extend(fields);
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

/// The fields of a result that is a struct.
pub fn result<T: TSerializable>(value: &T) -> Vec<u8> {
    exception(0, value)
}

/// The fields of a result that is a declared exception, in field `id`.
pub fn exception<T: TSerializable>(id: u8, value: &T) -> Vec<u8> {
    [&[12, 0, id][..], &to_bytes(value).expect("it can be written"), &[0]].concat()
}

/// The fields of a result that is a text or binary.
pub fn text(text: &str) -> Vec<u8> {
    [&[11, 0, 0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes(), &[0]].concat()
}

/// The fields of a result that is nothing.
pub fn nothing() -> Vec<u8> {
    vec![0]
}

/// A server that runs.
pub struct Server {
    pub address: Address,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Vec<String>>>,
}

/// Starts a server that takes as many connections as there are lists of steps.
pub fn serve(script: Vec<Vec<Step>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    serve_on(listener, script)
}

/// As [`serve`], on a port that is known before.
pub fn serve_on(listener: TcpListener, script: Vec<Vec<Step>>) -> Server {
    let address = address_of(&listener);
    let ending = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ending);
    let thread = thread::spawn(move || {
        let mut methods = Vec::new();
        for steps in script {
            let (stream, _) = listener.accept().expect("a listener accepts");
            if seen.load(Ordering::Acquire) {
                break;
            }
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
            stream.set_nodelay(true).expect("a socket sends at once");
            let mut peer = Peer { stream, methods: Vec::new(), arguments: Vec::new() };
            for Step(step) in steps {
                // A client that went away ends this connection's script.
                if step(&mut peer).is_err() {
                    break;
                }
            }
            methods.push(peer.methods);
        }
        methods
    });
    Server { address, ending, thread }
}

/// Where a listener listens.
pub fn address_of(listener: &TcpListener) -> Address {
    let number = listener.local_addr().expect("a listener has an address");
    Address::new("127.0.0.1", number.port())
}

/// An address on which nothing listens: of this machine, and none that these servers take.
pub fn nowhere() -> Address {
    Address::new("127.9.9.9", 9)
}

impl Server {
    /// Names of the methods that were called, by connection.
    pub fn finish(self) -> Vec<Vec<String>> {
        self.ending.store(true, Ordering::Release);
        // Wakes a server that still waits for a connection of its script.
        let _ = TcpStream::connect((self.address.host.as_str(), self.address.port));
        self.thread.join().expect("the server does not panic")
    }
}

/// Answers that the leader is at `address`.
pub fn leader_is(address: &Address) -> Step {
    let (host, port) = (address.host.clone(), i32::from(address.port));
    answer(result(&NimbusSummary::new(host, port, 1, true, "2.8.3".to_owned(), None)))
}

/// Patient enough for a loaded machine, and quick to repeat.
pub fn options() -> ClientOptions {
    ClientOptions {
        connect: PATIENCE,
        call: PATIENCE,
        total: PATIENCE,
        retry: Retry {
            times: 2,
            interval: Duration::from_millis(1),
            ceiling: Duration::from_millis(1),
        },
        ..ClientOptions::default()
    }
}

/// A client that asks `server` alone.
pub fn client(server: &Server) -> NimbusClient {
    NimbusClient::new(vec![server.address.clone()], options())
}

/// A listener whose address the script can name, since it leads itself.
pub fn leading(script: impl FnOnce(&Address) -> Vec<Vec<Step>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let script = script(&address_of(&listener));
    serve_on(listener, script)
}
