//! Logs. They go to standard error, so that data on standard output stays clean.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging. `RUST_LOG` and `-v` win over the configuration. A second call changes nothing.
pub fn start(config: &LogConfig, verbosity: u8) {
    let level = match verbosity {
        0 => config.level.clone(),
        1 => "info".to_owned(),
        _ => "debug,hyper=info,reqwest=info,h2=info,rustls=info".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Only the first subscriber of a process counts; tests start several applications in one.
    let _ = match config.format {
        LogFormat::Human => builder.compact().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
