//! `cpq test`: an acceptance suite that a user points at the connected CRM, e.g. the sandbox of their own org. It makes
//! its own records, keeps its own quotes in memory, and takes everything away again.

mod cases;
mod hook;
mod org;
mod scene;
mod webhook;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde::Serialize;
use serde_json::json;

use crate::cli::output::{Output, table};
use crate::config::Config;
use scene::Scene;

/// `cpq test`
#[derive(clap::Args)]
pub struct Args {
    /// Which suite: integration-sync.
    #[arg(long, default_value = "integration-sync")]
    suite: String,
    /// Connection to test; the configured one if left out.
    #[arg(long)]
    connection: Option<String>,
}

/// How a case went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    case: &'static str,
    passed: bool,
    duration_ms: u64,
    /// What was seen, or what was wrong.
    detail: String,
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    if args.suite != "integration-sync" {
        return Err(Error::new(
            Code::RequestInvalid,
            format!("there is no suite {:?}", args.suite),
        )
        .next("use --suite integration-sync"));
    }
    let connection = args.connection.map_or_else(
        || Ok(config.crm.connection.clone()),
        cpq_domain::id::ConnectionName::new,
    )?;
    let scene = Scene::open(&config, connection).await?;
    let mut verdicts = Vec::new();
    for (name, case) in cases::ALL {
        let verdict = time(&scene, name, case(&scene)).await;
        if !output.json {
            output.data(&verdict, || line(&verdict));
        }
        verdicts.push(verdict);
    }
    let left = scene.clean_up().await;
    let verdict = time(&scene, "leaves nothing behind", async { left }).await;
    if !output.json {
        output.data(&verdict, || line(&verdict));
    }
    verdicts.push(verdict);
    Ok(summary(&verdicts, output))
}

async fn time(scene: &Scene, case: &'static str, work: impl Future<Output = Result<String>>) -> Verdict {
    let start = scene.app.world.monotonic_us();
    let result = work.await;
    let duration_ms = (scene.app.world.monotonic_us() - start) / 1_000;
    let (passed, detail) = match result {
        Ok(seen) => (true, seen),
        Err(error) => (false, format!("{error} [{}]; {}", error.code, error.advice())),
    };
    Verdict {
        case,
        passed,
        duration_ms,
        detail,
    }
}

fn line(verdict: &Verdict) -> String {
    let word = if verdict.passed { "pass" } else { "FAIL" };
    format!(
        "{word}  {:<24}{:>7} ms  {}",
        verdict.case, verdict.duration_ms, verdict.detail
    )
}

fn summary(verdicts: &[Verdict], output: Output) -> u8 {
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let passed = verdicts.len() - failed;
    let told = json!({"suite": "integration-sync", "passed": passed, "failed": failed, "cases": verdicts});
    output.data(&told, || {
        table(
            &["SUITE", "PASSED", "FAILED"],
            [vec![
                "integration-sync".into(),
                passed.to_string(),
                failed.to_string(),
            ]],
        )
    });
    u8::from(failed > 0)
}
