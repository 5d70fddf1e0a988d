//! The command line.

mod acts;
mod audit;
mod auth;
mod bench;
mod client;
mod conflicts;
mod connections;
mod demo;
mod dlq;
mod doctor;
mod feeds;
mod kept;
mod mapping;
#[cfg(test)]
mod named;
mod output;
mod ownership;
mod place;
mod privacy;
mod quote;
mod reconcile;
mod sandbox;
mod seed;
mod serve;
mod store;
mod suite;
mod sync;
pub mod token;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cpq_domain::Result;

use crate::config::Config;
use crate::telemetry;
use output::Output;

/// Keeps a CRM and a CPQ system in agreement, in both directions.
///
/// Exit status: 0 done, 1 the answer is no or the request was wrong, 2 we or a remote system failed.
#[derive(Parser)]
#[command(
    name = "cpq",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Where store, keys and tokens are kept.
    #[arg(
        long,
        global = true,
        env = "CPQ_STATE_DIR",
        default_value = ".cpq",
        value_name = "DIR"
    )]
    state_dir: PathBuf,
    /// Configuration file; `cpq.toml` here is used if it exists.
    #[arg(long, global = true, env = "CPQ_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Store of several nodes, postgres://user:password@host/database, in place of the file of the state directory. A
    /// URL with a password is better named by the variable: what is typed can be read in the list of processes.
    #[arg(
        long,
        global = true,
        env = "CPQ_STORE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    store: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Log more: -v what happens, -vv every detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole thing at work on its own sandbox: one opportunity becomes one quote.
    Demo(demo::Args),
    /// Run the service: API, webhooks and waiting syncs.
    Serve(serve::Args),
    /// Whether this installation can do its work: every check with its verdict, each failure with its fix.
    Doctor(doctor::Args),
    /// Log in to a CRM, look after the grant, or give it up.
    #[command(subcommand)]
    Auth(auth::Command),
    /// Sync an opportunity with its quote, and see what syncs did.
    #[command(subcommand)]
    Sync(sync::Command),
    /// Compare both sides as a whole, repair what differs, and certify what agrees.
    Reconcile(reconcile::Args),
    /// Whether changes in the CRM are learnt of: how each feed fares, and what to do.
    Feeds,
    /// Whether each CRM is called, what waits for it, and how many API calls are left.
    Connections,
    /// See and move quotes of the embedded CPQ.
    #[command(subcommand)]
    Quote(quote::Command),
    /// Edits that lost, and fields that wait for a person: see and decide them.
    #[command(subcommand)]
    Conflicts(conflicts::Command),
    /// Syncs that failed for good: see them, group them, correct or give them up, and replay many at once.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Why a field has its value: every value it had, where it came from, by which rule, in which sync.
    Why(why::Args),
    /// Who owns which field.
    #[command(subcommand)]
    Ownership(ownership::Command),
    /// Which field lives where in the CRM, and whether values come back from there as they were.
    #[command(subcommand)]
    Mapping(mapping::Command),
    /// Tokens for our own API.
    #[command(subcommand)]
    Token(token::Command),
    /// Who did what, and the proof that nothing of it was changed.
    #[command(subcommand)]
    Audit(audit::Command),
    /// What is kept about a person or an opportunity: find it, export it, erase it.
    #[command(subcommand)]
    Privacy(privacy::Command),
    /// Prove the event log, take backups, remove values for good.
    #[command(subcommand)]
    Store(store::Command),
    /// A Salesforce to try things on, offline.
    Sandbox(sandbox::Args),
    /// Load a scenario into the sandbox, and start one if none runs.
    Seed(seed::Args),
    /// Run an acceptance suite against the connected CRM; it leaves nothing behind.
    Test(suite::Args),
    /// Measure this machine: round trips, throughput, API calls, memory.
    Bench(bench::Args),
    /// The configuration in force, and every key with its meaning.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Completions for a shell, to be sourced.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every key with its meaning and default.
    Show,
    /// Check the configuration and say what is wrong with it.
    Check,
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let output = Output { json: cli.json };
    // One crypto library for everything; which one must be said before the first TLS handshake.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.say(format!("error: cannot start the runtime: {error}"));
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(dispatch(cli, output)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(output.error(&error, None)),
    }
}

/// Help and version are answers; anything else is a wrong request.
fn misused(error: &clap::Error) -> ExitCode {
    // Printing fails only if whoever reads has gone.
    let _ = error.print();
    ExitCode::from(u8::from(error.use_stderr()))
}

async fn dispatch(cli: Cli, output: Output) -> Result<u8> {
    if let Command::Completions { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "cpq", &mut anstream::stdout());
        return Ok(0);
    }
    if let Command::Doctor(args) = &cli.command {
        let named = doctor::Named {
            config: cli.config.as_deref(),
            state_dir: &cli.state_dir,
            store: cli.store.as_deref(),
            verbose: cli.verbose,
        };
        return doctor::run(args, named, output).await;
    }
    let mut config = Config::load(cli.config.as_deref(), &cli.state_dir)?;
    config.name_store(cli.store.as_deref().unwrap_or_default());
    let serves = matches!(cli.command, Command::Serve(_));
    let telemetry = telemetry::start(&config.log, &config.traces, cli.verbose, serves)?;
    let begun = acts::begin(&cli.command, &config).await?;
    let outcome = carry_out(cli.command, config, output).await;
    if let Some(begun) = begun {
        begun.end(&outcome).await;
    }
    telemetry.finish().await;
    outcome
}

async fn carry_out(command: Command, config: Config, output: Output) -> Result<u8> {
    match command {
        Command::Demo(args) => demo::run(args, config, output).await,
        Command::Serve(args) => serve::run(args, config, output).await,
        Command::Auth(command) => auth::run(command, config, output).await,
        Command::Sync(command) => sync::run(command, config, output).await,
        Command::Reconcile(args) => reconcile::run(args, config, output).await,
        Command::Feeds => feeds::run(config, output).await,
        Command::Connections => connections::run(config, output).await,
        Command::Quote(command) => quote::run(command, config, output).await,
        Command::Conflicts(command) => conflicts::run(command, config, output).await,
        Command::Dlq(command) => dlq::run(command, config, output).await,
        Command::Why(args) => why::run(args, config, output).await,
        Command::Ownership(command) => ownership::run(command, &config, output).await,
        Command::Mapping(command) => mapping::run(command, &config, output).await,
        Command::Token(command) => token::run(command, config, output).await,
        Command::Audit(command) => audit::run(command, config, output).await,
        Command::Privacy(command) => privacy::run(command, config, output).await,
        Command::Store(command) => store::run(command, config, output).await,
        Command::Sandbox(args) => sandbox::run(args, config, output).await,
        Command::Seed(args) => seed::run(args, config, output).await,
        Command::Test(args) => suite::run(args, config, output).await,
        Command::Bench(args) => bench::run(args, config, output).await,
        Command::Config(ConfigCommand::Show) => {
            output.data(&crate::config::DEFAULTS, || crate::config::DEFAULTS.to_owned());
            Ok(0)
        }
        Command::Config(ConfigCommand::Check) => {
            let crm = crate::sides::salesforce_config(&config.crm, &config.crm.connection)?;
            cpq_adapters::salesforce::mapping(&crm, None)?;
            output.data(&serde_json::json!({"ok": true}), || {
                "the configuration is fine".into()
            });
            Ok(0)
        }
        Command::Completions { .. } | Command::Doctor(_) => Ok(0),
    }
}
