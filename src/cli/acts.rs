//! What this command line does to the store itself is told in the audit log, as what goes through the API is told there.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use cpq_api::audit::{Act, Audit, Begun};
use cpq_domain::Result;

use super::{Command, auth, ownership, privacy, store, token};
use crate::app::open_store;
use crate::config::Config;
use crate::world::RealWorld;

/// Tells a command before it runs, if it is an act that does not go through the API.
pub(super) async fn begin(command: &Command, config: &Config) -> Result<Option<Begun>> {
    let Some((act, subject)) = act(command) else {
        return Ok(None);
    };
    let audit = Audit::new(open_store(config).await?, Arc::new(RealWorld::new()));
    let begun = audit.begin(Act {
        client: "cli".to_owned(),
        person: person(),
        origin: Some(origin()),
        act: act.to_owned(),
        subject,
        correlation: None,
    });
    begun.await.map(Some)
}

fn act(command: &Command) -> Option<(&'static str, String)> {
    match command {
        Command::Auth(command) => auth_act(command),
        Command::Ownership(ownership::Command::Apply { file, .. }) => {
            let file = file.as_ref().map(|file| file.display().to_string());
            Some(("ownership.apply", file.unwrap_or_else(|| "built-in".into())))
        }
        Command::Token(token::Command::Create { client, scopes, .. }) => {
            Some(("token.create", format!("{client}: {}", scopes.join(" "))))
        }
        Command::Token(token::Command::Revoke { id }) => Some(("token.revoke", id.clone())),
        Command::Token(token::Command::EndSession { id, client }) => {
            let which = id.as_ref().or(client.as_ref());
            Some(("session.end", which.cloned().unwrap_or_default()))
        }
        Command::Store(store::Command::Purge(args)) => Some(("store.purge", args.subject())),
        Command::Privacy(command) => privacy_act(command),
        // These go through the API, which tells them; or make a store, move it or look at it.
        Command::Demo(_)
        | Command::Doctor(_)
        | Command::Serve(_)
        | Command::Sync(_)
        | Command::Reconcile(_)
        | Command::Quote(_) => None,
        Command::Conflicts(_) | Command::Dlq(_) | Command::Feeds | Command::Connections | Command::Why(_) => {
            None
        }
        Command::Ownership(_) | Command::Mapping(_) | Command::Token(_) | Command::Store(_) => None,
        Command::Audit(_) | Command::Sandbox(_) | Command::Seed(_) | Command::Test(_) | Command::Bench(_) => {
            None
        }
        Command::Config(_) | Command::Completions { .. } => None,
    }
}

fn auth_act(command: &auth::Command) -> Option<(&'static str, String)> {
    let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "the default connection".into());
    match command {
        auth::Command::ConnectCrm(args) => Some(("auth.connect", named(&args.name))),
        auth::Command::Disconnect { name } => Some(("auth.disconnect", named(name))),
        auth::Command::RotateKey => Some(("auth.rotate-key", "sealing key".into())),
        auth::Command::Status | auth::Command::Refresh { .. } => None,
    }
}

/// Of a search nothing is told: the text would be kept here for good.
fn privacy_act(command: &privacy::Command) -> Option<(&'static str, String)> {
    match command {
        privacy::Command::Export(which) => Some(("privacy.export", which.subject())),
        privacy::Command::Erase(which) => Some(("privacy.erase", which.subject())),
        privacy::Command::Find { .. } => None,
    }
}

/// Who this is by the word of the environment: what the account is certain of is [`origin`].
pub(super) fn person() -> Option<String> {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    let mut named = named.filter_map(|name| std::env::var(name).ok());
    named.find(|name| !name.is_empty())
}

fn origin() -> String {
    let account = std::fs::metadata("/proc/self").map(|found| found.uid().to_string());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let account = account.unwrap_or_else(|_| "unknown".into());
    format!("account {account} at {}", host.trim())
}
