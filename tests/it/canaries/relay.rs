//! What stands between the product and its CRM in a test of secrets: it listens to everything, so the test knows the
//! tokens that were handed out, and it can answer in the CRM's place with what it was sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The relay; it ends with the test's process.
pub struct Relay {
    pub url: String,
    heard: Arc<Mutex<Vec<u8>>>,
    /// Status with which calls of the data API are answered, their own request for a body; 0: they are passed on.
    echoing: Arc<AtomicU16>,
}

impl Relay {
    /// Listens, and passes on to the sandbox at `target`, e.g. `http://127.0.0.1:7070`.
    pub fn before(target: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (heard, echoing) = (Arc::default(), Arc::default());
        let relay = Relay {
            url: url.clone(),
            heard: Arc::clone(&heard),
            echoing: Arc::clone(&echoing),
        };
        let plain = |url: &str| url.trim_start_matches("http://").to_owned();
        let (own, target) = (plain(&url), plain(target));
        assert_eq!(own.len(), target.len(), "both are on ephemeral ports");
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let (own, target) = (own.clone(), target.clone());
                let (heard, echoing) = (Arc::clone(&heard), Arc::clone(&echoing));
                // A connection that breaks is somebody's end, and no matter of the test's.
                thread::spawn(move || serve(caller, &own, &target, &heard, &echoing));
            }
        });
        relay
    }

    /// From now on calls of the data API are answered so; with 0 they are passed on.
    pub fn echo(&self, status: u16) {
        self.echoing.store(status, Ordering::SeqCst);
    }

    /// The values of a member in all JSON answers so far.
    pub fn members(&self, name: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("the bytes");
        let text = String::from_utf8_lossy(&heard);
        let begin = format!("\"{name}\":\"");
        let found = text.split(&begin).skip(1);
        let mut values: Vec<String> = found
            .filter_map(|rest| Some(rest.split('"').next()?.to_owned()))
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// Reads one request, and either answers it or passes it and everything after it on.
fn serve(mut caller: TcpStream, own: &str, target: &str, heard: &Mutex<Vec<u8>>, echoing: &AtomicU16) {
    let mut first = vec![0; 64 * 1024];
    let Ok(length) = caller.read(&mut first) else {
        return;
    };
    first.truncate(length);
    let status = echoing.load(Ordering::SeqCst);
    let head = String::from_utf8_lossy(&first).into_owned();
    if status > 0 && head.contains("/services/data/") {
        let body = format!("{{\"errorCode\":\"{head}\",\"message\":{head}");
        let answer = format!(
            "HTTP/1.1 {status} Echo\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = caller.write_all(answer.as_bytes());
        let _ = caller.shutdown(Shutdown::Both);
        return;
    }
    let Ok(mut callee) = TcpStream::connect(target) else {
        return;
    };
    // One request a connection, and plain text, so that everything can be listened to and answered.
    let plain = replaced(
        &replaced(&first, b"gzip", b"none"),
        b"\r\n\r\n",
        b"\r\nconnection: close\r\n\r\n",
    );
    if callee.write_all(&plain).is_err() {
        return;
    }
    let (Ok(mut from), Ok(mut to)) = (caller.try_clone(), callee.try_clone()) else {
        return;
    };
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let mut answer = Vec::new();
    let _ = callee.read_to_end(&mut answer);
    // The sandbox names itself in its answers; both addresses have ports of five digits, so no length changes.
    let answer = everywhere(&answer, target.as_bytes(), own.as_bytes());
    heard.lock().expect("the bytes").extend_from_slice(&answer);
    let _ = caller.write_all(&answer);
    let _ = caller.shutdown(Shutdown::Both);
}

/// The first occurrence replaced.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    match bytes.windows(old.len()).position(|window| window == old) {
        Some(at) => [&bytes[..at], new, &bytes[at + old.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// Every occurrence replaced by something of the same length.
fn everywhere(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let mut from = 0;
    while let Some(at) = all[from..].windows(old.len()).position(|window| window == old) {
        all[from + at..from + at + old.len()].copy_from_slice(new);
        from += at + old.len();
    }
    all
}
