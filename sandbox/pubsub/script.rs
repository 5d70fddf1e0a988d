//! What a fault rule has in store for one call.

use super::refusal::{Reason, Refusal, code_named};
use super::rpc::{Abrupt, Rpc};
use crate::faults::Fault;
use std::time::Duration;
use tonic::Code;

/// One fault at most, after so many events, and a pace for all answers.
#[derive(Debug)]
pub struct Script {
    fault: Option<Fault>,
    after: u64,
    /// Shortest time between two answers.
    pub pace: Duration,
}

/// What a fault does when it strikes.
#[derive(Debug)]
pub enum Strike {
    /// The call ends with this.
    Refuse(Refusal),
    /// The stream ends well.
    Close,
    /// Nothing happens any more.
    Stall,
}

impl Script {
    /// What the rules said.
    pub fn new(fault: Option<Fault>, pace: Duration) -> Self {
        let after = fault.as_ref().and_then(Fault::after_events).unwrap_or(0);
        Self { fault, after, pace }
    }

    /// Events that may still pass before the fault strikes; none when there is no fault.
    pub fn room(&self, passed: u64) -> Option<u64> {
        self.fault.as_ref().map(|_| self.after.saturating_sub(passed))
    }

    /// The fault, if it is due after so many events.
    pub fn strike(&self, rpc: &Rpc, passed: u64) -> Option<Strike> {
        let fault = self.fault.as_ref().filter(|_| passed >= self.after)?;
        Some(match fault {
            Fault::StreamStall { .. } => Strike::Stall,
            Fault::StreamClose { .. } => Strike::Close,
            Fault::StreamCut { .. } => Strike::Refuse(rpc.break_off(Abrupt::NoStatus)),
            Fault::StreamReset { .. } => Strike::Refuse(rpc.break_off(Abrupt::ResetStream)),
            Fault::ConnectionReset { .. } => Strike::Refuse(rpc.break_off(Abrupt::ResetConnection)),
            Fault::StreamAuthError { .. } => {
                rpc.caller.expel(&rpc.sandbox);
                Strike::Refuse(Reason::AUTH_ERROR.into())
            }
            Fault::GrpcStatus {
                code,
                error_code,
                message,
                ..
            } => Strike::Refuse(status(code.as_deref(), error_code.as_deref(), message.as_deref())),
            _ => return None,
        })
    }

    /// The fault of a call that is no stream.
    ///
    /// # Errors
    /// When the call is not to be answered.
    pub async fn on_unary(&self, rpc: &Rpc) -> Result<(), Refusal> {
        match self.strike(rpc, 0) {
            None | Some(Strike::Close) => Ok(()),
            Some(Strike::Refuse(refusal)) => Err(refusal),
            Some(Strike::Stall) => {
                rpc.sandbox.stop.cancelled().await;
                Err(Reason::SERVICE_UNAVAILABLE.into())
            }
        }
    }
}

fn status(code: Option<&str>, error_code: Option<&str>, message: Option<&str>) -> Refusal {
    let code = code.and_then(code_named);
    let Some(reason) = error_code.and_then(Reason::named) else {
        let text = message.unwrap_or("io exception");
        return Refusal::foreign(code.unwrap_or(Code::Unavailable), text);
    };
    let refusal = message.map_or_else(|| reason.into(), |text| reason.because(text));
    match code {
        Some(code) => refusal.with_code(code),
        None => refusal,
    }
}
