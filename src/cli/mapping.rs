//! `cpq mapping`: which canonical field lives where in the CRM.

use std::path::PathBuf;

use cpq_adapters::salesforce::FIELDS;
use cpq_domain::Result;
use cpq_domain::lint::mapped::{Doubt, Drawn, Severity};
use cpq_domain::ownership::Matrix;
use cpq_domain::value::Form;
use cpq_domain::world::World;
use cpq_store::Store;
use serde_json::{Value as Json, json};

use crate::app::{App, Role};
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::mapping::{Direction, Report, Sight};
use crate::matrix::{self, Text};
use crate::world::RealWorld;

/// `cpq mapping`
#[derive(clap::Subcommand)]
pub enum Command {
    /// Every canonical field with its place in the CRM, and whether the org has it and may write it.
    Show {
        /// Print the built-in mapping as a file to copy entries from.
        #[arg(long)]
        toml: bool,
        /// Ask the org for its fields first.
        #[arg(long)]
        refresh: bool,
    },
    /// Check a mapping: the file, what the org says to it, and whether values come back as they were.
    Check {
        /// The file; the configured one if left out.
        file: Option<PathBuf>,
        /// Ask the org for its fields first.
        #[arg(long)]
        refresh: bool,
    },
}

/// Runs the command.
pub async fn run(command: Command, config: &Config, output: Output) -> Result<u8> {
    if let Command::Show { toml: true, .. } = command {
        output.data(&FIELDS, || FIELDS.to_owned());
        return Ok(0);
    }
    let (file, refresh) = match &command {
        Command::Show { refresh, .. } => (None, *refresh),
        Command::Check { file, refresh } => (file.clone(), *refresh),
    };
    if refresh {
        let app = App::open(config, Role::Command).await?;
        let asking = app.describe(&config.crm.connection);
        output.busy("asking the org for its fields", asking).await?;
    }
    let store = matrix::known_store(config).await?;
    let sight = Sight::of(config, store.as_ref(), file.as_deref()).await?;
    let code = match command {
        Command::Show { .. } => show(config, store.as_ref(), &sight, output).await?,
        Command::Check { .. } => check(&sight, output)?,
    };
    if let Some(caution) = sight.caution(RealWorld::new().now()) {
        output.say(caution);
    }
    Ok(code)
}

async fn show(config: &Config, store: Option<&Store>, sight: &Sight, output: Output) -> Result<u8> {
    let matrix = Text::in_force(config, store).await?.parse()?;
    let fields = sight.drawn()?;
    let told: Vec<Json> = fields.iter().map(|field| as_json(field, &matrix)).collect();
    let told = json!({"describedAt": sight.described_at(), "fields": told});
    output.data(&told, || {
        let rows = fields.iter().map(|field| {
            vec![
                field.name.to_string(),
                field.place.clone(),
                field.kind.to_string(),
                arrow(Direction::of(&matrix, field.name.as_str())).to_owned(),
                transform(field),
                precision(field),
                in_org(field).to_owned(),
            ]
        });
        table(
            &[
                "FIELD",
                "CRM FIELD",
                "TYPE",
                "DIRECTION",
                "TRANSFORM",
                "PRECISION",
                "ORG",
            ],
            rows,
        )
    });
    Ok(0)
}

fn as_json(field: &Drawn, matrix: &Matrix) -> Json {
    let there = field.there.as_ref();
    let maps: Vec<Json> = field
        .maps
        .iter()
        .map(|map| {
            let pairs: Vec<Json> = map
                .pairs
                .iter()
                .map(|(crm, ours)| json!({"crm": crm, "canonical": ours}))
                .collect();
            json!({"recordType": map.record_type, "values": pairs})
        })
        .collect();
    json!({
        "field": field.name, "place": field.place, "type": field.kind, "line": field.line,
        "direction": Direction::of(matrix, field.name.as_str()), "written": field.written,
        "fromCrm": field.from_crm, "toCrm": field.to_crm, "maps": maps, "hasDefault": field.has_default,
        "scale": field.shape.scale, "comparedAs": field.shape.form, "timeZone": field.zone,
        "inOrg": field.described.then_some(there.is_some()),
        "crmType": there.map(|there| &there.kind), "length": there.map(|there| there.length),
        "writableInOrg": there.map(may_write),
    })
}

fn may_write(there: &cpq_domain::schema::FieldSchema) -> bool {
    there.updateable && !there.calculated
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ToCpq => "CRM → CPQ",
        Direction::ToCrm => "CPQ → CRM",
        Direction::Both => "both ways",
        Direction::None => "not synced",
    }
}

fn transform(field: &Drawn) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(field.from_crm.as_ref().map(|text| format!("read: {text}")));
    parts.extend(field.to_crm.as_ref().map(|text| format!("write: {text}")));
    let types = field.maps.iter().filter(|map| map.record_type.is_some()).count();
    if let Some(plain) = field.maps.iter().find(|map| map.record_type.is_none()) {
        parts.push(format!("value map of {}", plain.pairs.len()));
    }
    if types > 0 {
        parts.push(format!("value maps of {types} record types"));
    }
    if field.has_default {
        parts.push("default".to_owned());
    }
    parts.join("; ")
}

fn precision(field: &Drawn) -> String {
    let length = field.there.as_ref().map_or(0, |there| there.length);
    match (field.shape.scale, field.shape.form) {
        (Some(scale), _) => format!("{scale} decimals"),
        (None, Form::Seconds) => "second".to_owned(),
        (None, Form::Phone) => "digits".to_owned(),
        (None, Form::Country) => "ISO 3166-1".to_owned(),
        (None, Form::State) => "ISO 3166-2".to_owned(),
        (None, Form::Plain) if length > 0 && field.kind.is_text() => format!("{length} characters"),
        (None, Form::Plain) => String::new(),
    }
}

fn in_org(field: &Drawn) -> &'static str {
    match (&field.there, field.described) {
        (_, false) => "not known",
        (None, true) => "missing",
        (Some(there), true) if may_write(there) => "writable",
        (Some(_), true) => "read-only",
    }
}

fn check(sight: &Sight, output: Output) -> Result<u8> {
    let report = sight.check()?;
    let (fields, errors, warnings) = (
        report.fields,
        report.errors(),
        report.findings.len() - report.errors(),
    );
    let told = json!({
        "ok": !report.is_bad(), "fields": fields, "faults": report.faults, "findings": report.findings,
        "describedAt": sight.described_at(),
    });
    output.data(&told, || {
        let ok = format!("ok fields={fields} warnings={warnings}");
        let last = (!report.is_bad()).then_some(ok);
        lines(&report)
            .into_iter()
            .chain(last)
            .collect::<Vec<_>>()
            .join("\n")
    });
    if report.is_bad() {
        output.say(format!(
            "{} found; nothing was changed",
            report.faults.len() + errors
        ));
    }
    Ok(u8::from(report.is_bad()))
}

/// Everything that is wrong with a mapping, as compilers tell.
fn lines(report: &Report) -> Vec<String> {
    let faults = report.faults.iter().map(ToString::to_string);
    faults.chain(report.findings.iter().map(told)).collect()
}

/// One finding with its proof and the way out.
pub fn told(doubt: &Doubt) -> String {
    let severity = match doubt.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let line = doubt.line.map_or(String::new(), |line| format!(", line {line}"));
    let proof = doubt
        .counter_example
        .as_ref()
        .map_or(String::new(), |proof| format!("\n  {proof}"));
    format!(
        "{severity}: {} ({}{line}): {}{proof}\n  {}",
        doubt.field, doubt.place, doubt.message, doubt.fix
    )
}
