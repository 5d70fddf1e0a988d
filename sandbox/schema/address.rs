//! Addresses: what a compound address is made of, and how its parts are named on the wire.

use super::field::{Kind, label_of};
use super::spec::{FieldSpec, PickSpec};

/// Suffix, label, type, length, precision and scale of the parts of an address (Object Reference, Address Compound Fields).
const ADDRESS: [(&str, &str, Kind, u32, u8, u8); 8] = [
    ("Street", "Street", Kind::Textarea, 255, 0, 0),
    ("City", "City", Kind::String, 40, 0, 0),
    ("State", "State/Province", Kind::String, 80, 0, 0),
    ("PostalCode", "Zip/Postal Code", Kind::String, 20, 0, 0),
    ("Country", "Country", Kind::String, 80, 0, 0),
    ("Latitude", "Latitude", Kind::Double, 0, 18, 15),
    ("Longitude", "Longitude", Kind::Double, 0, 18, 15),
    ("GeocodeAccuracy", "Geocode Accuracy", Kind::Picklist, 40, 0, 0),
];

/// The parts of an address field.
pub(super) fn address_parts<'a>(stem: &'a str, access: &'a str) -> impl Iterator<Item = FieldSpec> + 'a {
    ADDRESS
        .iter()
        .map(move |(suffix, label, kind, length, precision, scale)| FieldSpec {
            length: *length,
            precision: *precision,
            scale: *scale,
            access: Some(access.into()),
            restricted: *suffix == "GeocodeAccuracy",
            values: if *suffix == "GeocodeAccuracy" {
                accuracies()
            } else {
                Vec::new()
            },
            label: Some(format!("{} {label}", label_of(stem)).trim().to_owned()),
            ..FieldSpec::of(&format!("{stem}{suffix}"), kind.name())
        })
}

fn accuracies() -> Vec<PickSpec> {
    let names = [
        "Address",
        "NearAddress",
        "Block",
        "Street",
        "ExtendedZip",
        "Zip",
        "Neighborhood",
        "City",
        "County",
        "State",
        "Unknown",
    ];
    names.iter().map(|n| PickSpec::Plain((*n).into())).collect()
}

/// Keys of an address on the wire with the suffix of the part behind each, alphabetical as on the wire.
pub const ADDRESS_KEYS: [(&str, &str); 8] = [
    ("city", "City"),
    ("country", "Country"),
    ("geocodeAccuracy", "GeocodeAccuracy"),
    ("latitude", "Latitude"),
    ("longitude", "Longitude"),
    ("postalCode", "PostalCode"),
    ("state", "State"),
    ("street", "Street"),
];
