//! The listener: real connections.

use std::sync::Arc;

use cpq_api::ApiSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::house::House;

pub struct Served {
    pub address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<cpq_domain::Result<()>>,
}

pub async fn serve(house: &House) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let task = tokio::spawn(cpq_api::serve(listener, None, house.router.clone(), shutdown));
    Served { address, stop, task }
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_serves_and_lets_requests_in_hand_end() {
    let house = House::new().await;
    let served = serve(&house).await;
    let answer = exchange(
        served.address,
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    house.systems.close();
    let request = format!(
        "POST /api/v1/sync/opportunities/OPP-4482 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
        house.token
    );
    let call = tokio::spawn(async move { exchange(served.address, &request).await });
    house.systems.memory().entered.notified().await;
    served.stop.send(()).unwrap();
    house.systems.open();
    let answer = call.await.unwrap();
    assert!(answer.contains("\"status\":\"success\""), "{answer}");
    served.task.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "the listener is closed"
    );
}

#[tokio::test]
async fn callers_on_this_machine_may_read_the_figures_where_the_settings_say_so() {
    let settings = ApiSettings {
        metrics_open_on_loopback: true,
        ..ApiSettings::default()
    };
    let house = House::with(|state| state.settings = Arc::new(settings)).await;
    let served = serve(&house).await;
    let answer = exchange(
        served.address,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let answer = exchange(
        served.address,
        "GET /api/v1/sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_head_never_ends_is_cut_off() {
    let house = House::new().await;
    let served = serve(&house).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // The clock is the test's: when nothing else can happen, it jumps to the time limit.
    let limit = 2 * cpq_api::limits::HEADER_TIMEOUT;
    let ended = tokio::time::timeout(limit, stream.read_to_end(&mut answer))
        .await
        .expect("it is cut off");
    assert!(
        ended.is_err() || !answer.starts_with(b"HTTP/1.1 200"),
        "{answer:?}"
    );
}
