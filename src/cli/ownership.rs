//! `cpq ownership`: who owns which field.

use std::path::PathBuf;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::lint::Finding;
use cpq_domain::ownership::OwnershipRule;
use cpq_domain::world::World;
use cpq_store::{Store, ownership};
use serde_json::json;

use crate::app;
use crate::cli::mapping;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::mapping::Sight;
use crate::matrix::{self, Text};
use crate::world::RealWorld;

/// Versions that are listed at most; older ones are still found by their name.
const LISTED: i64 = 100;

/// `cpq ownership`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The matrix in force, or one of before.
    Show {
        /// Print it as a file to start your own from.
        #[arg(long)]
        toml: bool,
        /// That of a version, as decisions name it.
        #[arg(long = "of", value_name = "VERSION")]
        of: Option<String>,
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
    /// Put a matrix in force, if it is right. A running service takes it within seconds.
    Apply {
        /// The file.
        #[arg(required_unless_present = "built_in")]
        file: Option<PathBuf>,
        /// Go back to the matrix that comes with the program.
        #[arg(long, conflicts_with = "file")]
        built_in: bool,
    },
    /// The matrices that were in force or kept, the newest first.
    Versions,
}

/// Runs the command.
pub async fn run(command: Command, config: &Config, output: Output) -> Result<u8> {
    let store = matrix::known_store(config).await?;
    let store = store.as_ref();
    match command {
        Command::Show { toml, of } => {
            let text = wanted(config, store, of).await?;
            if toml {
                output.data(&text.body, || text.body.clone());
                return Ok(0);
            }
            show(&text, output)
        }
        Command::Diff { file } => diff(
            &Text::in_force(config, store).await?,
            &Text::of_file(&file)?,
            output,
        ),
        Command::Check { file } => {
            let text = match file {
                Some(file) => Text::of_file(&file)?,
                None => Text::in_force(config, store).await?,
            };
            check(config, store, &text, output).await
        }
        Command::Apply { file, .. } => apply(config, file, output).await,
        Command::Versions => versions(config, store, output).await,
    }
}

async fn wanted(config: &Config, store: Option<&Store>, version: Option<String>) -> Result<Text> {
    let Some(version) = version else {
        return Text::in_force(config, store).await;
    };
    let asked = version.clone();
    let kept = match store {
        Some(store) => {
            store
                .read(move |tx| Box::pin(async move { ownership::by_version(tx, &asked).await }))
                .await?
        }
        None => None,
    };
    let kept = kept.ok_or_else(|| {
        Error::new(
            Code::OwnershipInvalid,
            format!("there is no version {version} of the ownership matrix"),
        )
        .next("`cpq ownership versions` lists those that there are")
    })?;
    Ok(Text {
        body: kept.body,
        from: format!("version {version}"),
    })
}

fn show(text: &Text, output: Output) -> Result<u8> {
    let matrix = text.parse()?;
    let rules: Vec<&OwnershipRule> = matrix.rules().collect();
    let told = json!({"version": matrix.version(), "from": text.from, "rules": rules});
    output.data(&told, || {
        let rows = rules.iter().map(|rule| {
            let (owner, policy) = (rule.owner_system.as_str(), rule.overwrite_policy.as_str());
            vec![
                rule.field_name.to_string(),
                owner.into(),
                policy.into(),
                condition(rule),
                rule.reason.clone(),
            ]
        });
        let rows = table(&["FIELD", "OWNER", "POLICY", "WHEN", "REASON"], rows);
        format!("matrix version {} ({})\n\n{rows}", matrix.version(), text.from)
    });
    Ok(0)
}

fn condition(rule: &OwnershipRule) -> String {
    if rule.when == Default::default() {
        return String::new();
    }
    serde_json::to_string(&rule.when).unwrap_or_default()
}

fn diff(now: &Text, then: &Text, output: Output) -> Result<u8> {
    let (now, then) = (now.parse()?, then.parse()?);
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
    let (owner, policy, when) = (
        rule.owner_system.as_str(),
        rule.overwrite_policy.as_str(),
        condition(rule),
    );
    let when = if when.is_empty() {
        when
    } else {
        format!(" when {when}")
    };
    format!("{owner} {policy}{when}")
}

/// Checks the matrix, and the field mapping that it speaks of.
async fn check(config: &Config, store: Option<&Store>, text: &Text, output: Output) -> Result<u8> {
    let (findings, described) = matrix::check(config, store, text).await?;
    let sight = Sight::of(config, store, None).await?;
    let report = sight.check()?;
    let bad = !findings.is_empty() || report.is_bad();
    let mut told =
        json!({"ok": !bad, "findings": findings, "mapping": report.findings, "orgKnown": described});
    let mut lines: Vec<String> = findings.iter().map(told_finding).collect();
    lines.extend(report.findings.iter().map(mapping::told));
    if bad {
        output.data(&told, || lines.join("\n"));
        output.say(format!(
            "{} found; nothing was changed",
            findings.len() + report.errors()
        ));
    } else {
        let matrix = text.parse()?;
        let (rules, version) = (matrix.rules().count(), matrix.version());
        told["rules"] = rules.into();
        told["version"] = version.into();
        lines.push(format!("ok rules={rules} version={version}"));
        output.data(&told, || lines.join("\n"));
    }
    if let Some(caution) = sight.caution(RealWorld::new().now()) {
        output.say(caution);
    }
    Ok(u8::from(bad))
}

fn refuse(findings: &[Finding], described: bool, output: Output) -> u8 {
    let told = json!({"ok": false, "findings": findings, "orgKnown": described});
    output.data(&told, || {
        findings.iter().map(told_finding).collect::<Vec<_>>().join("\n")
    });
    output.say(format!("{} found; nothing was changed", findings.len()));
    1
}

/// As compilers tell: the line, what is wrong, and the way out below.
fn told_finding(finding: &Finding) -> String {
    let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
    format!(
        "line {line}: {}: {}\n  {}",
        finding.field, finding.message, finding.fix
    )
}

async fn apply(config: &Config, file: Option<PathBuf>, output: Output) -> Result<u8> {
    let configured = &config.ownership.file;
    if !configured.as_os_str().is_empty() {
        let message = format!(
            "the configuration names the matrix {}, which comes first",
            configured.display()
        );
        return Err(Error::new(Code::ConfigInvalid, message)
            .field("ownership.file")
            .next("change that file, or take `ownership.file` out of the configuration"));
    }
    let store = app::open_store(config).await?;
    let Some(file) = file else {
        store.write(|tx| Box::pin(ownership::withdraw(tx))).await?;
        let version = Text::built_in().version();
        output.data(&json!({"version": version, "builtIn": true}), || {
            format!("in force: version={version} (built in)")
        });
        return Ok(0);
    };
    let text = Text::of_file(&file)?;
    let (findings, described) = matrix::check(config, Some(&store), &text).await?;
    if !findings.is_empty() {
        return Ok(refuse(&findings, described, output));
    }
    let (version, now) = (text.parse()?.version().to_owned(), RealWorld::new().now());
    let kept = version.clone();
    let write =
        store.write(move |tx| Box::pin(async move { ownership::put(tx, &kept, &text.body, now).await }));
    write.await?;
    output.data(&json!({"version": version, "orgKnown": described}), || {
        format!("in force: version={version}")
    });
    output.say("a running `cpq serve` takes it within seconds; `cpq ownership apply --built-in` goes back");
    Ok(0)
}

async fn versions(config: &Config, store: Option<&Store>, output: Output) -> Result<u8> {
    let in_force = Text::in_force(config, store).await?.version();
    let kept = match store {
        Some(store) => store.read(|tx| Box::pin(ownership::newest(tx, LISTED))).await?,
        None => Vec::new(),
    };
    let told: Vec<_> = kept
        .iter()
        .map(|one| json!({"version": one.version, "keptSince": one.created_at, "inForce": one.version == in_force}))
        .collect();
    output.data(&json!({"inForce": in_force, "versions": told}), || {
        let rows = kept.iter().map(|one| {
            let mark = if one.version == in_force { "in force" } else { "" };
            vec![one.version.clone(), one.created_at.to_string(), mark.to_owned()]
        });
        table(&["VERSION", "KEPT SINCE", ""], rows)
    });
    Ok(0)
}
