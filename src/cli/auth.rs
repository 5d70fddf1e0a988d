//! `cpq auth`: log in, look after the grant, give it up.

use std::path::PathBuf;

use cpq_auth::{App as LoginApp, Connected, Loopback};
use cpq_domain::Result;
use cpq_domain::connection::Vendor;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::ConnectionName;
use cpq_domain::vault::GrantState;
use secrecy::SecretString;
use serde_json::json;

use crate::app::{App, Role};
use crate::cli::output::{Output, table};
use crate::cli::sandbox;
use crate::config::Config;

/// Environment variable with the consumer secret; an argument would be seen by everybody on the machine.
const SECRET_VARIABLE: &str = "CPQ_CRM_CLIENT_SECRET";

/// `cpq auth`
#[derive(clap::Subcommand)]
pub enum Command {
    /// Connect a CRM. Without --login-url the sandbox of this directory is meant, and no person is needed.
    ConnectCrm(ConnectArgs),
    /// The connections, with user, scopes and state.
    Status,
    /// Renew the access token now.
    Refresh {
        /// Which connection; the configured one if left out.
        #[arg(long)]
        name: Option<String>,
    },
    /// Revoke the grant at the CRM and forget its tokens.
    Disconnect {
        /// Which connection; the configured one if left out.
        #[arg(long)]
        name: Option<String>,
    },
    /// Replace the key that seals tokens at rest.
    RotateKey,
}

/// `cpq auth connect-crm`
#[derive(clap::Args)]
pub struct ConnectArgs {
    /// Name of the connection; the configured one if left out.
    #[arg(long)]
    pub name: Option<String>,
    /// How to log in: in the browser, with a signed assertion, or as the app's run-as user.
    #[arg(long, value_enum, default_value_t = FlowArg::Web)]
    flow: FlowArg,
    /// Login host, e.g. https://login.salesforce.com, https://test.salesforce.com or your My Domain.
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
    /// Consumer key of the external client app. Its secret is read from CPQ_CRM_CLIENT_SECRET.
    #[arg(long, value_name = "KEY")]
    client_id: Option<String>,
    /// User of the assertion (--flow jwt).
    #[arg(long)]
    username: Option<String>,
    /// Private key in PEM (--flow jwt).
    #[arg(long, value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// Audience of the assertion where it differs from the login host (--flow jwt).
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    /// Port of the callback http://127.0.0.1:PORT/oauth/callback, which must be registered with the app (--flow web).
    #[arg(long, default_value_t = 7717, value_name = "PORT")]
    redirect_port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FlowArg {
    Web,
    Jwt,
    ClientCredentials,
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    let app = App::open(&config, Role::Command).await?;
    match command {
        Command::ConnectCrm(args) => {
            let connected = connect(&app, &config, args, output).await?;
            tell_connected(&app, &connected, output).await
        }
        Command::Status => status(&app, output).await,
        Command::Refresh { name } => {
            let name = connection(&config, name)?;
            let access = app.broker.refresh(&name).await?;
            let told = json!({"connection": name, "generation": access.generation, "instanceUrl": access.instance_url});
            output.data(&told, || {
                format!("connection={name} refreshed, generation={}", access.generation)
            });
            Ok(0)
        }
        Command::Disconnect { name } => disconnect(&app, &connection(&config, name)?, output).await,
        Command::RotateKey => rotate_key(&app, output).await,
    }
}

fn connection(config: &Config, name: Option<String>) -> Result<ConnectionName> {
    name.map_or_else(|| Ok(config.crm.connection.clone()), ConnectionName::new)
}

/// Connects as the arguments say, or to the sandbox of this directory when they name no login host.
async fn connect(app: &App, config: &Config, args: ConnectArgs, output: Output) -> Result<Connected> {
    let name = connection(config, args.name.clone())?;
    if args.login_url.is_some() {
        return connect_org(app, name, args, output).await;
    }
    let info = sandbox::running(config).await.ok_or_else(|| {
        Error::new(
            Code::NotConnected,
            "no --login-url was given, and no sandbox runs for this directory",
        )
        .next("run `cpq seed --scenario crm-sync` first, or give --login-url and --client-id of your org")
    })?;
    connect_sandbox(app, name, args.flow, &info).await
}

/// Connects to a sandbox with what it tells about itself.
async fn connect_sandbox(
    app: &App,
    name: ConnectionName,
    flow: FlowArg,
    info: &sandbox::Info,
) -> Result<Connected> {
    let login = LoginApp {
        name,
        vendor: Vendor::Salesforce,
        login_url: info.instance_url.clone(),
        client_id: info.client_id.clone(),
        client_secret: Some(SecretString::from(info.client_secret.clone())),
        scopes: Vec::new(),
    };
    match flow {
        FlowArg::Web => {
            let user = info.username.clone();
            app.broker
                .login_web(&login, &Loopback::default(), |url| {
                    sandbox::approve(url.clone(), user)
                })
                .await
        }
        FlowArg::Jwt => {
            let key = info.jwt_private_key_path.clone().ok_or_else(|| {
                Error::new(Code::LoginFailed, "the sandbox has no key for the JWT flow")
                    .next("start it with a state directory")
            })?;
            app.broker.login_jwt(&login, &info.username, None, &key).await
        }
        FlowArg::ClientCredentials => app.broker.login_client_credentials(&login).await,
    }
}

async fn connect_org(
    app: &App,
    name: ConnectionName,
    args: ConnectArgs,
    output: Output,
) -> Result<Connected> {
    let needed = |value: Option<String>, flag: &str| {
        value.ok_or_else(|| {
            Error::new(Code::RequestInvalid, format!("{flag} is needed")).next(format!("add {flag}"))
        })
    };
    let login = LoginApp {
        name,
        vendor: Vendor::Salesforce,
        login_url: needed(args.login_url, "--login-url")?,
        client_id: needed(args.client_id, "--client-id")?,
        client_secret: std::env::var(SECRET_VARIABLE)
            .ok()
            .filter(|secret| !secret.is_empty())
            .map(SecretString::from),
        scopes: Vec::new(),
    };
    match args.flow {
        FlowArg::Web => {
            let loopback = Loopback {
                port: args.redirect_port,
                ..Loopback::default()
            };
            app.broker
                .login_web(&login, &loopback, |url| open_browser(url, output))
                .await
        }
        FlowArg::Jwt => {
            let user = needed(args.username, "--username")?;
            let key = needed(
                args.private_key.map(|path| path.display().to_string()),
                "--private-key",
            )?;
            app.broker
                .login_jwt(&login, &user, args.audience.as_deref(), key.as_ref())
                .await
        }
        FlowArg::ClientCredentials => app.broker.login_client_credentials(&login).await,
    }
}

fn open_browser(url: &url::Url, output: Output) -> Result<()> {
    output.say(format!(
        "log in here:\n\n  {url}\n\nwaiting for the browser to come back (five minutes at most)"
    ));
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    // Without a desktop the person opens the printed address.
    let mut command = std::process::Command::new(opener);
    // A browser needs most of the environment, and none of our keys.
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CPQ_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    let _ = command
        .arg(url.as_str())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    Ok(())
}

async fn tell_connected(app: &App, connected: &Connected, output: Output) -> Result<u8> {
    let name = &connected.settings.name;
    let described = output
        .busy("reading what the CRM's objects look like", app.describe(name))
        .await;
    let identity = &connected.identity;
    let scopes = identity.scopes.join(" ");
    let told = json!({"connection": name, "identity": identity, "flow": connected.settings.flow, "excessScopes": connected.excess_scopes});
    output.data(&told, || {
        format!(
            "connected={name} user={} org={} scopes={scopes:?} url={}",
            identity.username, identity.organization_id, identity.instance_url
        )
    });
    for scope in &connected.excess_scopes {
        output.say(format!(
            "warning: scope {scope} was granted though it is not needed; take it away from the app"
        ));
    }
    // The login is good, whatever the CRM says of its objects: what waits for it goes on either way.
    let resumed = app.resume(name).await?;
    described?
        .iter()
        .for_each(|warning| output.say(format!("warning: {warning}")));
    if resumed > 0 {
        output.say(format!(
            "{resumed} waiting syncs go on; `cpq serve` works on them"
        ));
    }
    Ok(0)
}

/// Connects to a sandbox with the given flow and reads its schema, without telling anything.
pub async fn connect_quietly(app: &App, name: ConnectionName, info: &sandbox::Info) -> Result<Connected> {
    let connected = connect_sandbox(app, name.clone(), FlowArg::Web, info).await?;
    app.describe(&name).await?;
    Ok(connected)
}

async fn status(app: &App, output: Output) -> Result<u8> {
    let list = app.broker.status().await?;
    let state = |state: &GrantState| match state {
        GrantState::Active => "active".to_owned(),
        GrantState::Dead { reason, since } => format!("dead since {since}: {reason}"),
    };
    let alive = list
        .iter()
        .all(|one| one.state == GrantState::Active && one.opens);
    output.data(&list, || {
        let rows = list.iter().map(|one| {
            let key = if one.opens {
                one.sealing_key.clone()
            } else {
                format!("{} (missing)", one.sealing_key)
            };
            vec![
                one.settings.name.to_string(),
                state(&one.state),
                one.identity.username.clone(),
                one.identity.scopes.join(" "),
                one.identity.instance_url.clone(),
                one.refreshed_at.to_string(),
                key,
            ]
        });
        table(
            &["CONNECTION", "STATE", "USER", "SCOPES", "URL", "REFRESHED", "KEY"],
            rows,
        )
    });
    if list.is_empty() {
        output.say("no connection yet; run `cpq auth connect-crm`");
    }
    Ok(u8::from(!alive))
}

async fn disconnect(app: &App, name: &ConnectionName, output: Output) -> Result<u8> {
    let done = app.broker.disconnect(name).await?;
    let told = json!({"connection": name, "revoked": done.revoked, "reason": done.reason});
    output.data(&told, || format!("disconnected={name} revoked={}", done.revoked));
    if let Some(report) = done.reason {
        output.say(format!(
            "warning: the CRM could not be told ({}); revoke the app there by hand",
            report.message
        ));
    }
    Ok(0)
}

async fn rotate_key(app: &App, output: Output) -> Result<u8> {
    let done = app.broker.rotate_key().await?;
    let names = |list: &[ConnectionName]| {
        list.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let told =
        json!({"newest": done.newest.to_string(), "resealed": done.resealed, "unopened": done.unopened});
    output.data(&told, || {
        format!("key={} resealed: {}", done.newest, names(&done.resealed))
    });
    if !done.unopened.is_empty() {
        output.say(format!(
            "warning: no key opens {}; connect them again",
            names(&done.unopened)
        ));
    }
    Ok(u8::from(!done.unopened.is_empty()))
}
