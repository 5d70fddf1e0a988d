//! A collector of traces: takes OTLP over HTTP and keeps what comes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as wire;
use prost::Message as _;

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    pub name: String,
    pub kind: i32,
    pub attributes: BTreeMap<String, String>,
    /// The message of a status that is an error.
    pub error: Option<String>,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
}

impl Span {
    /// An attribute; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Listens until the test ends.
pub struct Collector {
    pub url: String,
    came: Arc<Mutex<Came>>,
}

#[derive(Default)]
struct Came {
    spans: Vec<Span>,
    /// Attributes of who sent them.
    resource: BTreeMap<String, String>,
    /// Heads of the requests.
    heads: Vec<String>,
}

impl Collector {
    pub fn new() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let came = Arc::<Mutex<Came>>::default();
        let kept = came.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Collector { url, came }
    }

    /// All that came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.came.lock().expect("not poisoned").spans.clone()
    }

    /// Those of a trace.
    pub fn of(&self, trace: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace == trace);
        spans
    }

    pub fn resource(&self) -> BTreeMap<String, String> {
        self.came.lock().expect("not poisoned").resource.clone()
    }

    pub fn heads(&self) -> Vec<String> {
        self.came.lock().expect("not poisoned").heads.clone()
    }
}

/// The one span of that name.
pub fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let named: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    match named.as_slice() {
        [one] => one,
        _ => panic!("{} spans are named {name:?} in {spans:#?}", named.len()),
    }
}

fn serve(stream: TcpStream, came: &Mutex<Came>) {
    let mut answers = stream.try_clone().expect("a socket");
    let mut requests = BufReader::new(stream);
    while let Some((head, body)) = request(&mut requests) {
        let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("protobuf");
        keep(&mut came.lock().expect("not poisoned"), head, request);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if answers.write_all(answer).is_err() {
            return;
        }
    }
}

/// Head and body of the next request on a connection.
fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn keep(came: &mut Came, head: String, request: ExportTraceServiceRequest) {
    came.heads.push(head);
    for group in request.resource_spans {
        came.resource = attributes(group.resource.unwrap_or_default().attributes);
        let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        came.spans.extend(spans.map(span));
    }
}

fn span(span: wire::Span) -> Span {
    let status = span.status.unwrap_or_default();
    let is_error = status.code == wire::status::StatusCode::Error as i32;
    Span {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        attributes: attributes(span.attributes),
        error: is_error.then_some(status.message),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => format!("{other:?}"),
    };
    all.into_iter().map(|one| (one.key, text(one.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
