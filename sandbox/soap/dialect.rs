//! The two WSDLs: partner, where every record is an `sObject` with a `type`, and enterprise, where it is of its own type.

use super::fault::Fault;

/// Oldest and newest version served, as for REST (API End-of-Life Policy).
const VERSIONS: std::ops::RangeInclusive<u16> = 31..=68;

/// Which WSDL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `/services/Soap/u`.
    Partner,
    /// `/services/Soap/c`.
    Enterprise,
}

/// Which WSDL, which version.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The WSDL.
    pub dialect: Dialect,
    /// The version's number before the point: 59.
    pub version: u16,
}

impl Dialect {
    /// Namespace of operations and headers.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:partner.soap.sforce.com",
            Self::Enterprise => "urn:enterprise.soap.sforce.com",
        }
    }

    /// Namespace of records.
    pub fn of_records(self) -> &'static str {
        match self {
            Self::Partner => "urn:sobject.partner.soap.sforce.com",
            Self::Enterprise => "urn:sobject.enterprise.soap.sforce.com",
        }
    }

    /// Namespace of faults.
    pub fn of_faults(self) -> &'static str {
        match self {
            Self::Partner => "urn:fault.partner.soap.sforce.com",
            Self::Enterprise => "urn:fault.enterprise.soap.sforce.com",
        }
    }

    /// The letter in addresses.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Partner => "u",
            Self::Enterprise => "c",
        }
    }
}

impl Endpoint {
    /// The endpoint behind a path.
    ///
    /// # Errors
    /// `UNSUPPORTED_API_VERSION` and `FUNCTIONALITY_NOT_ENABLED`.
    pub fn of(kind: &str, version: &str) -> Result<Self, Fault> {
        if !matches!(kind, "u" | "c") {
            return Err(Fault::api(
                "FUNCTIONALITY_NOT_ENABLED",
                "Only the partner and enterprise APIs are served",
            ));
        }
        let number = version.strip_suffix(".0").unwrap_or(version).parse().ok();
        let version = number
            .filter(|number| VERSIONS.contains(number))
            .ok_or_else(|| Fault::api("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"))?;
        Ok(Self {
            dialect: Self::dialect_of(kind),
            version,
        })
    }

    /// The dialect of a letter in a path; unknown ones are answered as partner.
    pub fn dialect_of(kind: &str) -> Dialect {
        if kind == "c" {
            Dialect::Enterprise
        } else {
            Dialect::Partner
        }
    }

    /// `59.0`.
    pub fn version_text(self) -> String {
        format!("{}.0", self.version)
    }
}
