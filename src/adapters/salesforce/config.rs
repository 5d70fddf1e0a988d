//! What a Salesforce connection can be told.

use cpq_auth::Reach;
use cpq_domain::id::ConnectionName;

/// Settings of the adapter. [`Config::new`] gives the usual ones.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the connection; becomes the `system` of every opportunity read.
    pub connection: ConnectionName,
    /// API version without the `v`, e.g. `68.0` (Winter '27).
    pub api_version: String,
    /// Name of our API client. Change events of what we write carry it, so it is ours alone in the org.
    pub client: String,
    /// Custom field with the business number of an opportunity, unique and an external id.
    pub number_field: String,
    /// Custom field that takes the correlation id of the last write; not written where it does not exist.
    pub correlation_field: String,
    /// Custom field of a line item with the key that the CPQ knows the line by.
    pub line_key_field: String,
    /// Object that holds one record a quote, e.g. `Quote`; empty: none is kept.
    pub quote_object: String,
    /// Custom field of that object with the quote's root id, unique and an external id.
    pub quote_key_field: String,
    /// Child relationship of the opportunity to that object, e.g. `Quotes`, or `CPQ_Quotes__r` of an own object.
    pub quote_relationship: String,
    /// Currency of an org with a single currency (ISO 4217). Without it amounts are taken as USD, with a warning.
    pub currency: Option<String>,
    /// Entries on top of the embedded field mapping, as TOML of the same form.
    pub fields: Option<String>,
    /// Name of the file that they are from, for people.
    pub fields_file: String,
    /// IANA name of the zone in which a moment of the CRM is a day, e.g. `Europe/Berlin`; none: the organisation's.
    pub time_zone: Option<String>,
    /// Certificate authorities to trust beside the built-in ones, as PEM.
    pub ca_certificates_pem: Vec<Vec<u8>>,
    /// Where requests may go.
    pub reach: Reach,
}

impl Config {
    /// The usual settings.
    pub fn new(connection: ConnectionName) -> Self {
        Config {
            connection,
            api_version: "68.0".to_owned(),
            client: "cpq".to_owned(),
            number_field: "Opportunity_Number__c".to_owned(),
            correlation_field: "CPQ_Correlation_Id__c".to_owned(),
            line_key_field: "CPQ_Line_Key__c".to_owned(),
            quote_object: "Quote".to_owned(),
            quote_key_field: "CPQ_Quote_Key__c".to_owned(),
            quote_relationship: "Quotes".to_owned(),
            currency: None,
            fields: None,
            fields_file: "fields.toml".to_owned(),
            time_zone: None,
            ca_certificates_pem: Vec::new(),
            reach: Reach::default(),
        }
    }
}
