//! Logs. They go to standard error, so that data on standard output stays clean.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging. `RUST_LOG` and `-v` win over the configuration. A single command tells its errors itself and logs
/// nothing unless asked to. A second call changes nothing.
pub fn start(config: &LogConfig, verbosity: u8, serves: bool) {
    let level = match verbosity {
        0 if serves => config.level.clone(),
        0 => "off".to_owned(),
        1 => "info".to_owned(),
        _ => "debug,hyper=info,reqwest=info,h2=info,rustls=info".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only the first subscriber of a process counts; tests start several applications in one.
    let _ = match config.format {
        LogFormat::Human => builder.compact().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
