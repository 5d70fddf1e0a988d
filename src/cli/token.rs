//! `cpq token`: tokens for our own API.

use std::sync::Arc;

use cpq_api::access::SCOPES;
use cpq_api::sessions::Sessions;
use cpq_api::tokens::{self, NewToken};
use cpq_domain::Result;
use cpq_domain::id::{ClientId, ConnectionName};
use cpq_domain::world::World;
use cpq_store::Store;
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::open_store;
use crate::cli::output::{Output, table};
use crate::cli::place;
use crate::config::Config;
use crate::world::RealWorld;

/// `cpq token`
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a token. It is shown once; only its hash is kept.
    Create {
        /// Who uses it: a name for logs, and the scope of idempotency keys.
        #[arg(long)]
        client: String,
        /// What it may do; repeat for several. All scopes: see `cpq token scopes`.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// The only connection whose records it reaches; all when absent. What speaks of all connections at once, such
        /// as metrics and audit log, is closed to it.
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
        /// Days until it ends.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// The tokens, with scopes, end and last use.
    List,
    /// End a token now.
    Revoke {
        /// Its id, from `cpq token list`.
        id: String,
    },
    /// The browsers that are logged in at the dashboard: as whom, from where and until when.
    Sessions {
        /// Only those of this client.
        #[arg(long)]
        client: Option<String>,
    },
    /// Log a browser out, or all of a client. Its token stays good: `revoke` ends both.
    #[command(group = clap::ArgGroup::new("which").required(true))]
    EndSession {
        /// Its id, from `cpq token sessions`.
        #[arg(group = "which")]
        id: Option<String>,
        /// All browsers of this client.
        #[arg(long, group = "which")]
        client: Option<String>,
    },
    /// The scopes that exist.
    Scopes,
}

/// What tokens are made with: nothing of the rest is needed, so a wrong setting elsewhere is no hindrance.
struct Desk {
    store: Store,
    world: Arc<dyn World>,
}

impl Desk {
    async fn open(config: &Config) -> Result<Desk> {
        Ok(Desk {
            store: open_store(config).await?,
            world: Arc::new(RealWorld::new()),
        })
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(self.store.clone(), self.world.clone())
    }
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    if let Command::Scopes = command {
        output.data(&SCOPES, || SCOPES.join("\n"));
        return Ok(0);
    }
    let desk = Desk::open(&config).await?;
    match command {
        Command::Create {
            client,
            scopes,
            connection,
            days,
        } => {
            let connection = connection.map(ConnectionName::new).transpose()?;
            create(&desk, &client, &scopes, connection, days, output).await
        }
        Command::List => list(&desk, output).await,
        Command::Revoke { id } => {
            let revoked = tokens::revoke(&desk.store, desk.world.as_ref(), &id).await?;
            output.data(&json!({"id": id, "revoked": revoked}), || {
                format!("token={id} revoked={revoked}")
            });
            Ok(u8::from(!revoked))
        }
        Command::Sessions { client } => list_sessions(&desk, client.as_deref(), output).await,
        Command::EndSession { id, client } => {
            end_sessions(&desk, id.as_deref(), client.as_deref(), output).await
        }
        Command::Scopes => Ok(0),
    }
}

async fn list_sessions(desk: &Desk, client: Option<&str>, output: Output) -> Result<u8> {
    let client = client.map(ClientId::new).transpose()?;
    let sessions = desk.sessions().open(client.as_ref()).await?;
    output.data(&sessions, || {
        let rows = sessions.iter().map(|browser| {
            vec![
                browser.id.clone(),
                browser.client.clone(),
                browser.address.clone().unwrap_or_else(|| "-".to_owned()),
                browser.logged_in_at.to_string(),
                browser.seen_at.to_string(),
                browser.ends_at.to_string(),
                browser.token_id.clone(),
            ]
        });
        let heads = [
            "SESSION",
            "CLIENT",
            "FROM",
            "LOGGED IN",
            "LAST SEEN",
            "ENDS",
            "TOKEN",
        ];
        table(&heads, rows)
    });
    Ok(0)
}

/// Ends one, or all of a client. That a client had none is no failure; that there is none of an id is.
async fn end_sessions(desk: &Desk, id: Option<&str>, client: Option<&str>, output: Output) -> Result<u8> {
    let client = client.map(ClientId::new).transpose()?;
    let meant = |one: &str| id.is_none_or(|id| id == one);
    let ended = desk.sessions().end(client.as_ref(), meant).await?;
    output.data(&json!({ "ended": ended }), || format!("ended={ended}"));
    let unknown = ended == 0 && id.is_some();
    if unknown {
        output.say("no browser is logged in by this id: `cpq token sessions` lists them");
    }
    Ok(u8::from(unknown))
}

async fn create(
    desk: &Desk,
    client: &str,
    scopes: &[String],
    connection: Option<ConnectionName>,
    days: u32,
    output: Output,
) -> Result<u8> {
    let client = ClientId::new(client)?;
    let made = make(desk, &client, scopes, connection.clone(), days).await?;
    let told = json!({"id": made.id, "client": client, "token": made.secret.expose_secret(), "scopes": scopes, "connection": connection, "days": days});
    output.data(&told, || made.secret.expose_secret().to_owned());
    output.say("keep it safe: it is not shown again");
    Ok(0)
}

async fn make(
    desk: &Desk,
    client: &ClientId,
    scopes: &[String],
    connection: Option<ConnectionName>,
    days: u32,
) -> Result<tokens::Issued> {
    let expires_at = Some(desk.world.now() + SignedDuration::from_hours(24 * i64::from(days)));
    let new = NewToken {
        client: client.clone(),
        name: client.to_string(),
        scopes: scopes.to_vec(),
        connection,
        expires_at,
    };
    tokens::create(&desk.store, desk.world.as_ref(), new).await
}

async fn list(desk: &Desk, output: Output) -> Result<u8> {
    let list = tokens::list(&desk.store).await?;
    let told: Vec<_> = list.iter().map(|token| {
        json!({"id": token.id, "client": token.client, "scopes": token.scopes, "connection": token.connection, "expiresAt": token.expires_at, "revokedAt": token.revoked_at, "lastUsedAt": token.last_used_at})
    }).collect();
    output.data(&told, || {
        let when = |at: &Option<jiff::Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
        let rows = list.iter().map(|token| {
            vec![
                token.id.clone(),
                token.client.to_string(),
                token.scopes.join(" "),
                token
                    .connection
                    .as_ref()
                    .map_or("all".to_owned(), ToString::to_string),
                when(&token.expires_at),
                when(&token.revoked_at),
                when(&token.last_used_at),
            ]
        });
        table(
            &[
                "TOKEN",
                "CLIENT",
                "SCOPES",
                "REACHES",
                "ENDS",
                "REVOKED",
                "LAST USED",
            ],
            rows,
        )
    });
    Ok(0)
}

/// The command line's own token: kept in a file of the state directory that only its owner can read, and made when it
/// is missing, no longer valid, or made by a version that had fewer scopes.
pub async fn own(config: &Config, store: Store) -> Result<String> {
    let desk = Desk {
        store,
        world: Arc::new(RealWorld::new()),
    };
    let path = config.state_dir.join(place::CLI_TOKEN);
    if let Ok(token) = std::fs::read_to_string(&path)
        && tokens::authenticate(&desk.store, &desk.world, token.trim())
            .await
            .is_ok_and(|grantee| has_all_scopes(&grantee))
    {
        return Ok(token.trim().to_owned());
    }
    let client = ClientId::new(OWN_CLIENT)?;
    let scopes: Vec<String> = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
    let made = make(&desk, &client, &scopes, None, OWN_DAYS).await?;
    place::save(&config.state_dir, place::CLI_TOKEN, made.secret.expose_secret())?;
    Ok(made.secret.expose_secret().to_owned())
}

fn has_all_scopes(grantee: &tokens::Grantee) -> bool {
    let has = |scope: &&str| grantee.scopes.iter().any(|granted| granted == scope);
    grantee.connection.is_none() && SCOPES.iter().all(has)
}

/// Client of the command line's own token.
pub const OWN_CLIENT: &str = "cpq-cli";
/// Days for which the command line's own token holds. It makes itself a new one by itself.
const OWN_DAYS: u32 = 30;
