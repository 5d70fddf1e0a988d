//! `cpq ownership`: who owns which field.

use std::path::PathBuf;

use cpq_domain::Result;
use cpq_domain::lint::Finding;
use cpq_domain::ownership::OwnershipRule;
use serde_json::json;

use crate::app;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::ownership_check;

/// `cpq ownership`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The matrix in force.
    Show {
        /// Print it as a file to start your own from.
        #[arg(long)]
        toml: bool,
    },
    /// What another matrix would change about the one in force, field by field.
    Diff {
        /// The other file.
        file: PathBuf,
    },
    /// Check a matrix before it is used.
    Check {
        /// The file; the one in force if left out.
        file: Option<PathBuf>,
    },
}

/// Runs the command.
pub async fn run(command: Command, config: &Config, output: Output) -> Result<u8> {
    match command {
        Command::Show { toml: true } => {
            let (text, _) = app::matrix_text(config)?;
            output.data(&text, || text.clone());
            Ok(0)
        }
        Command::Show { toml: false } => show(config, output),
        Command::Diff { file } => diff(config, file, output),
        Command::Check { file } => {
            let mut config = config.clone();
            config.ownership.file = file.unwrap_or(config.ownership.file);
            check(&config, output).await
        }
    }
}

fn diff(config: &Config, file: PathBuf, output: Output) -> Result<u8> {
    let now = app::matrix(config)?;
    let mut other = config.clone();
    other.ownership.file = file;
    let then = app::matrix(&other)?;
    let differences = now.differences(&then);
    let told = json!({"from": now.version(), "to": then.version(), "differences": differences});
    output.data(&told, || {
        let rows = differences.iter().map(|one| {
            let brief = |rules: &[OwnershipRule]| rules.iter().map(brief).collect::<Vec<_>>().join("; ");
            vec![one.field.to_string(), brief(one.before), brief(one.after)]
        });
        table(&["FIELD", "NOW", "THEN"], rows)
    });
    output.say(format!(
        "{} fields differ between version {} and {}; nothing was changed",
        differences.len(),
        now.version(),
        then.version()
    ));
    Ok(u8::from(!differences.is_empty()))
}

/// Owner, policy and condition of a rule on one line.
fn brief(rule: &OwnershipRule) -> String {
    let always = rule.when == Default::default();
    let when = serde_json::to_string(&rule.when).unwrap_or_default();
    let when = if always {
        String::new()
    } else {
        format!(" when {when}")
    };
    let (owner, policy) = (rule.owner_system.as_str(), rule.overwrite_policy.as_str());
    format!("{owner} {policy}{when}")
}

async fn check(config: &Config, output: Output) -> Result<u8> {
    let (findings, described) = ownership_check::check(config).await?;
    if !findings.is_empty() {
        let told = json!({"ok": false, "findings": findings, "orgKnown": described});
        output.data(&told, || {
            findings.iter().map(told_finding).collect::<Vec<_>>().join("\n")
        });
        output.say(format!("{} found; nothing was changed", findings.len()));
        return Ok(1);
    }
    let matrix = app::matrix(config)?;
    let (rules, version) = (matrix.rules().count(), matrix.version());
    let told = json!({"ok": true, "rules": rules, "version": version, "findings": [], "orgKnown": described});
    output.data(&told, || format!("ok rules={rules} version={version}"));
    if !described {
        output
            .say("checked without an org: `cpq auth connect-crm` lets fields and permissions be checked too");
    }
    Ok(0)
}

/// As compilers tell: the line, what is wrong, and the way out below.
fn told_finding(finding: &Finding) -> String {
    let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
    format!(
        "line {line}: {}: {}\n  {}",
        finding.field, finding.message, finding.fix
    )
}

fn show(config: &Config, output: Output) -> Result<u8> {
    let matrix = app::matrix(config)?;
    let rules: Vec<&OwnershipRule> = matrix.rules().collect();
    let told = json!({"version": matrix.version(), "rules": rules});
    output.data(&told, || {
        let rows = rules.iter().map(|rule| {
            let when = if rule.when == Default::default() {
                String::new()
            } else {
                serde_json::to_string(&rule.when).unwrap_or_default()
            };
            vec![
                rule.field_name.to_string(),
                rule.owner_system.as_str().into(),
                rule.overwrite_policy.as_str().into(),
                when,
                rule.reason.clone(),
            ]
        });
        format!(
            "matrix version {}\n\n{}",
            matrix.version(),
            table(&["FIELD", "OWNER", "POLICY", "WHEN", "REASON"], rows)
        )
    });
    Ok(0)
}
