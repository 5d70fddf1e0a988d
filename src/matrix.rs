//! Which ownership matrix is in force: the file that the configuration names, else the one that was applied last, else
//! the built-in one; and what is wrong with one.

use std::path::Path;

use cpq_adapters::salesforce;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::lint::{self, Finding};
use cpq_domain::ownership::Matrix;
use cpq_domain::quote::READ_ONLY;
use cpq_domain::schema::CrmSchema;
use cpq_store::{Store, ownership, schemas};
use jiff::Timestamp;

use crate::app::{has_store, open_store};
use crate::config::Config;
use crate::named_file;
use crate::sides::salesforce_config;

mod live;

pub use live::Live;

const BUILT_IN: &str = include_str!("../ownership.default.toml");

/// A matrix as it was written.
#[derive(Clone, Debug)]
pub struct Text {
    /// The TOML.
    pub body: String,
    /// Where it comes from, for people.
    pub from: String,
}

impl Text {
    /// The one that comes with the program.
    pub fn built_in() -> Text {
        Text {
            body: BUILT_IN.to_owned(),
            from: "built in".to_owned(),
        }
    }

    /// A file.
    pub fn of_file(file: &Path) -> Result<Text> {
        let body = named_file::text(file).map_err(|error| {
            let message = format!("cannot read the ownership matrix {}: {error}", file.display());
            Error::new(Code::OwnershipInvalid, message)
                .field("ownership.file")
                .cause(error)
        })?;
        Ok(Text {
            body,
            from: file.display().to_string(),
        })
    }

    /// The text in force.
    pub async fn in_force(config: &Config, store: Option<&Store>) -> Result<Text> {
        if !config.ownership.file.as_os_str().is_empty() {
            return Text::of_file(&config.ownership.file);
        }
        let applied = match store {
            Some(store) => store.read(|tx| Box::pin(ownership::latest(tx))).await?,
            None => None,
        };
        Ok(applied.map_or_else(Text::built_in, |one| Text {
            body: one.body,
            from: format!("applied, kept since {}", one.created_at),
        }))
    }

    /// A hash of the text, so that equal texts have equal versions everywhere.
    pub fn version(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.body.as_bytes());
        digest
            .as_ref()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The matrix.
    pub fn parse(&self) -> Result<Matrix> {
        Matrix::parse(&self.body, self.version()).map_err(|error| error.fact("file", self.from.as_str()))
    }
}

/// The matrix in force. Its text is kept, so that what is decided under it can be explained later.
pub async fn in_force(config: &Config, store: &Store, now: Timestamp) -> Result<Matrix> {
    let text = Text::in_force(config, Some(store)).await?;
    let (matrix, version) = (text.parse()?, text.version());
    let asked = version.clone();
    let kept = store.read(move |tx| Box::pin(async move { ownership::by_version(tx, &asked).await }));
    if kept.await?.is_none() {
        let kept = store
            .write(move |tx| Box::pin(async move { ownership::keep(tx, &version, &text.body, now).await }));
        kept.await?;
    }
    Ok(matrix)
}

/// The store; none when there is none yet, as looking makes none.
pub async fn known_store(config: &Config) -> Result<Option<Store>> {
    if has_store(config)? {
        return open_store(config).await.map(Some);
    }
    Ok(None)
}

/// Everything that is wrong with a matrix, against the field mapping and, where the org was described, the org.
/// Returns whether it was.
pub async fn check(config: &Config, store: Option<&Store>, text: &Text) -> Result<(Vec<Finding>, bool)> {
    let schema = match store {
        Some(store) => schema(config, store).await?,
        None => None,
    };
    Ok((check_against(config, schema.as_ref(), text)?, schema.is_some()))
}

/// The same against what an org says of itself.
pub fn check_against(config: &Config, schema: Option<&CrmSchema>, text: &Text) -> Result<Vec<Finding>> {
    let crm = salesforce_config(&config.crm, &config.crm.connection)?;
    let synced = salesforce::mapping(&crm, None)?;
    let described = schema.map(|schema| salesforce::mapping(&crm, Some(schema)));
    let org = described.transpose()?;
    let stage = schema.and_then(|schema| schema.field("Opportunity", "StageName"));
    let ground = lint::Ground {
        synced: &synced,
        org: org.as_ref(),
        cpq_read_only: READ_ONLY,
        stages: stage.map(|field| field.choices.as_slice()).unwrap_or_default(),
        record_types: schema
            .map(|schema| schema.record_types.as_slice())
            .unwrap_or_default(),
    };
    lint::lint(&text.body, &ground).map_err(|error| error.fact("file", text.from.as_str()))
}

/// What the CRM said last about its objects.
async fn schema(config: &Config, store: &Store) -> Result<Option<CrmSchema>> {
    let name = config.crm.connection.clone();
    let known = store.read(move |tx| Box::pin(async move { schemas::get(tx, &name).await }));
    Ok(known.await?.map(|(schema, _)| schema))
}
