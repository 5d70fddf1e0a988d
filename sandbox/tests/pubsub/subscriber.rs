//! A subscriber: what it asks and what it gets, one after the other.

use crate::house::{Client, House, in_time};
use crate::wire::{FetchRequest, FetchResponse, ReplayPreset};
use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tonic::{Code, Status};

/// Keepalives that are looked at before one gives up; they come every few milliseconds.
const MANY: usize = 200;

/// Both halves of a stream. Dropping it hangs up.
pub struct Talk<Q, A> {
    pub asks: Option<mpsc::UnboundedSender<Q>>,
    answers: mpsc::Receiver<Result<A, Status>>,
    _task: tokio::task::JoinSet<()>,
}

/// What the client says.
pub struct Asked<Q>(mpsc::UnboundedReceiver<Q>);

impl<Q> Stream for Asked<Q> {
    type Item = Q;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Q>> {
        self.0.poll_recv(cx)
    }
}

pub type Subscriber = Talk<FetchRequest, FetchResponse>;

impl<Q: Send + 'static, A: Send + 'static> Talk<Q, A> {
    /// Opens a stream. Its headers come with its first answer, so that somebody has to wait for them meanwhile.
    pub fn open<F, R>(call: F) -> Self
    where
        F: FnOnce(Asked<Q>) -> R,
        R: Future<Output = Result<tonic::Response<tonic::Streaming<A>>, Status>> + Send + 'static,
    {
        let (asks, asked) = mpsc::unbounded_channel();
        let requests = Asked(asked);
        let (answered, answers) = mpsc::channel(1);
        let called = call(requests);
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            let mut stream = match called.await {
                Ok(response) => response.into_inner(),
                Err(status) => return drop(answered.send(Err(status)).await),
            };
            loop {
                let answer = match stream.message().await {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => return,
                    Err(status) => Err(status),
                };
                let last = answer.is_err();
                if answered.send(answer).await.is_err() || last {
                    return;
                }
            }
        });
        Self {
            asks: Some(asks),
            answers,
            _task: task,
        }
    }

    pub fn ask(&self, request: Q) {
        self.asks.as_ref().unwrap().send(request).map_err(drop).unwrap();
    }

    /// The next answer, which must not be an end.
    pub async fn next(&mut self) -> A {
        in_time(self.answers.recv())
            .await
            .expect("the stream goes on")
            .expect("it is no error")
    }

    /// The error at the end of the stream; answers before it do not matter.
    pub async fn error(&mut self) -> Status {
        let error = async {
            loop {
                if let Err(status) = self.answers.recv().await.expect("an error comes first") {
                    return status;
                }
            }
        };
        in_time(error).await
    }

    /// The first answer that has something to say, of those that do not.
    pub async fn find<T>(&mut self, mut wanted: impl FnMut(A) -> Option<T>) -> T {
        for _ in 0..MANY {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
        panic!("none of so many answers is the one");
    }

    /// Waits for the end of the stream, which must be a good one.
    pub async fn end(&mut self) -> Vec<A> {
        let mut before = Vec::new();
        while let Some(answer) = in_time(self.answers.recv()).await {
            before.push(answer.expect("the stream ends well"));
        }
        before
    }
}

impl Subscriber {
    /// Opens a subscription that asks for so many events.
    pub async fn of(house: &House, first: FetchRequest) -> Self {
        Self::over(house, house.plain().await, first)
    }

    pub fn over(house: &House, client: Client, first: FetchRequest) -> Self {
        Self::with_token(house, client, &house.token, first)
    }

    pub fn with_token(house: &House, mut client: Client, token: &str, first: FetchRequest) -> Self {
        let talk = Talk::open(|requests| {
            let request = house.signed_with(token, requests);
            async move { client.subscribe(request).await }
        });
        talk.ask(first);
        talk
    }

    /// Waits until an answer without events says that the subscription stands.
    pub async fn stands(&mut self) -> FetchResponse {
        self.stands_with(|_| true).await
    }

    /// Waits for a keepalive that looks like this.
    pub async fn stands_with(&mut self, wanted: impl Fn(&FetchResponse) -> bool) -> FetchResponse {
        let right = |answer: FetchResponse| (answer.events.is_empty() && wanted(&answer)).then_some(answer);
        self.find(right).await
    }

    /// The next answer that has events.
    pub async fn batch(&mut self) -> FetchResponse {
        self.find(|answer| (!answer.events.is_empty()).then_some(answer))
            .await
    }

    /// So many events, in as many answers as it takes.
    pub async fn events(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.extend(self.batch().await.events.into_iter().map(|event| event.replay_id));
        }
        ids
    }
}

/// A first request.
pub fn from(topic: &str, preset: ReplayPreset, wanted: i32) -> FetchRequest {
    FetchRequest {
        topic_name: topic.to_owned(),
        replay_preset: preset.into(),
        num_requested: wanted,
        ..FetchRequest::default()
    }
}

/// A first request for what comes behind a position.
pub fn after(topic: &str, replay_id: &[u8], wanted: i32) -> FetchRequest {
    FetchRequest {
        replay_id: replay_id.to_vec(),
        ..from(topic, ReplayPreset::Custom, wanted)
    }
}

/// A later request.
pub fn more(wanted: i32) -> FetchRequest {
    FetchRequest {
        num_requested: wanted,
        ..FetchRequest::default()
    }
}

/// Status code and error code of a refusal.
pub fn told(status: &Status) -> (Code, String) {
    (status.code(), crate::house::error_code(status))
}
