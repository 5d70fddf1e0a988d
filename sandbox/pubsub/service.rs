//! The service: each method of the interface, and how their streams are driven.

use super::managed::ManagedSubscription;
use super::publish::{self, Publication};
use super::rpc::Rpc;
use super::subscribe::Subscription;
use super::wire::pub_sub_server::PubSub;
use super::wire::{
    FetchRequest, FetchResponse, ManagedFetchRequest, ManagedFetchResponse, PublishRequest, PublishResponse,
    SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
};
use super::{Ended, topics};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// The service. What a call is about travels with its request.
pub struct Service;

/// Answers of a stream.
type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// Something that answers again and again until it ends.
trait Conversation: Sized + Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// The next answer; none at a good end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Answer>, Ended>> + Send;
}

macro_rules! converses {
    ($($conversation:ty => $answer:ty),*) => {$(
        impl Conversation for $conversation {
            type Answer = $answer;

            async fn next(&mut self) -> Result<Option<$answer>, Ended> {
                <$conversation>::next(self).await
            }
        }
    )*};
}

converses!(
    Subscription => FetchResponse, Publication => PublishResponse, ManagedSubscription => ManagedFetchResponse
);

/// Waits for the first answer before any header goes out, as gRPC servers in Java do: an error that comes first is then
/// all that the client sees.
async fn driven<C: Conversation>(
    rpc: Arc<Rpc>,
    begun: Result<Option<C>, Ended>,
) -> Result<Response<Answers<C::Answer>>, Status> {
    let Some(mut conversation) = begun.map_err(|ended| ended.status(&rpc))? else {
        return Ok(Response::new(stream::empty().boxed()));
    };
    let Some(first) = conversation.next().await.map_err(|ended| ended.status(&rpc))? else {
        return Ok(Response::new(stream::empty().boxed()));
    };
    let rest = stream::unfold(Some(conversation), move |going| {
        let rpc = rpc.clone();
        async move {
            let mut conversation = going?;
            match conversation.next().await {
                Ok(answer) => answer.map(|answer| (Ok(answer), Some(conversation))),
                Err(ended) => Some((Err(ended.status(&rpc)), None)),
            }
        }
    });
    Ok(Response::new(stream::iter([Ok(first)]).chain(rest).boxed()))
}

/// The call that a request belongs to.
fn rpc_of<T>(request: &Request<T>) -> Result<Arc<Rpc>, Status> {
    let rpc = request.extensions().get::<Arc<Rpc>>().cloned();
    rpc.ok_or_else(|| Status::internal("a request came in past the gate"))
}

#[tonic::async_trait]
impl PubSub for Service {
    type SubscribeStream = Answers<FetchResponse>;
    type PublishStreamStream = Answers<PublishResponse>;
    type ManagedSubscribeStream = Answers<ManagedFetchResponse>;

    async fn subscribe(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let rpc = rpc_of(&request)?;
        driven(rpc.clone(), Subscription::begin(rpc, request.into_inner()).await).await
    }

    async fn get_schema(&self, request: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        let rpc = rpc_of(&request)?;
        let script = rpc.judged(None).await;
        script
            .on_unary(&rpc)
            .await
            .map_err(|refusal| rpc.refuse(refusal))?;
        let schema = topics::schema(&rpc, &request.get_ref().schema_id);
        schema.map(Response::new).map_err(|refusal| rpc.refuse(refusal))
    }

    async fn get_topic(&self, request: Request<TopicRequest>) -> Result<Response<TopicInfo>, Status> {
        let rpc = rpc_of(&request)?;
        let name = &request.get_ref().topic_name;
        let script = rpc.judged(Some(name)).await;
        script
            .on_unary(&rpc)
            .await
            .map_err(|refusal| rpc.refuse(refusal))?;
        let topic = topics::info(&rpc, name);
        topic.map(Response::new).map_err(|refusal| rpc.refuse(refusal))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let rpc = rpc_of(&request)?;
        let request = request.into_inner();
        let script = rpc.judged(Some(&request.topic_name)).await;
        script
            .on_unary(&rpc)
            .await
            .map_err(|refusal| rpc.refuse(refusal))?;
        let published = publish::once(&rpc, request);
        published
            .map(Response::new)
            .map_err(|refusal| rpc.refuse(refusal))
    }

    async fn publish_stream(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        let rpc = rpc_of(&request)?;
        driven(rpc.clone(), Publication::begin(rpc, request.into_inner()).await).await
    }

    async fn managed_subscribe(
        &self,
        request: Request<Streaming<ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        let rpc = rpc_of(&request)?;
        driven(
            rpc.clone(),
            ManagedSubscription::begin(rpc, request.into_inner()).await,
        )
        .await
    }
}
