//! The connections, each set up the same.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Address, Tls};
use super::failure::{Kind, failure};
use super::tls;
use crate::limits::{CONNECTIONS, IDLE_JOB_MS, LOCK_MS, STATEMENT_MS, TURN_MS};

/// Settings of every session. Durability is not left to whoever configured the server: what is answered is on its disk.
/// What a statement of ours takes is milliseconds, so none is worth compiling. And each has its index: a server that has not
/// counted the rows of a new store yet would rather read whole tables, and keeps to that plan while they grow.
pub(super) fn settings() -> String {
    format!(
        "SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};
         SET idle_in_transaction_session_timeout = {IDLE_JOB_MS}; SET jit = off;
         SET enable_seqscan = off;
         SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';
         SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
           THEN 'on' ELSE current_setting('synchronous_commit') END, false)"
    )
}

/// What speaks TLS to that server.
pub(super) fn connector(address: &Address) -> Result<MakeRustlsConnect> {
    match &address.tls {
        Tls::Off => tls::connector(None, false),
        Tls::Verified { authorities } => tls::connector(authorities.as_deref(), true),
    }
}

/// The pool of the jobs, empty at first.
pub(super) fn pool(address: &Address) -> Result<Pool> {
    of(address, CONNECTIONS, settings())
}

/// One connection whose commits wait for no disk.
pub(super) fn unhurried(address: &Address) -> Result<Pool> {
    of(
        address,
        1,
        format!("{}; SET synchronous_commit = off", settings()),
    )
}

fn of(address: &Address, connections: usize, settings: String) -> Result<Pool> {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(address.config.clone(), connector(address)?, recycling);
    let settings: Arc<str> = settings.into();
    let set_up = Hook::async_fn(move |client, _| {
        let settings = settings.clone();
        Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_millis(TURN_MS)))
        .post_create(set_up)
        .build()
        .map_err(|cause| Error::new(Code::Internal, "the pool of connections cannot be made").cause(cause))
}

/// Why the pool gave no connection.
pub(super) fn refused(place: &str, cause: PoolError) -> (Error, Kind) {
    let doing = "to connect";
    match cause {
        PoolError::Backend(cause) | PoolError::PostCreateHook(HookError::Backend(cause)) => {
            failure(place, doing, &cause)
        }
        PoolError::Timeout(_) => {
            let message = format!("the store {place} is busy: no connection became free in {TURN_MS} ms");
            (Error::new(Code::StoreUnavailable, message), Kind::Final)
        }
        other => {
            let message = format!("the store {place} failed {doing}");
            (
                Error::new(Code::StoreUnavailable, message).cause(other.to_string()),
                Kind::Lost,
            )
        }
    }
}
