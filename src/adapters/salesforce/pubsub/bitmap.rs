//! The bitmaps in which a change event says which fields it is about.
//!
//! Source: Pub/Sub API Documentation, "Event Deserialization Considerations". A list of texts: `0x…` for the fields of
//! the record, `n-0x…` for the parts of its n-th field, a compound such as an address. The number is big-endian
//! hexadecimal; bit n, from the lowest, is field n of the schema in which the event was written, its header being 0.

/// A field of a schema, with its parts if it is a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldShape {
    pub(super) name: String,
    pub(super) parts: Vec<String>,
}

/// A field that a bitmap names, or one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) field: &'a FieldShape,
    /// None is the field as a whole.
    pub(super) part: Option<&'a str>,
}

/// The fields that the bitmaps name, in the order of the schema within each bitmap.
///
/// # Errors
/// What is wrong with the first entry that is none, or that names what the schema does not have.
pub(super) fn decode<'a>(bitmaps: &[String], fields: &'a [FieldShape]) -> Result<Vec<Named<'a>>, String> {
    let mut named = Vec::new();
    for entry in bitmaps {
        match entry.split_once('-') {
            None => {
                let whole = |at: usize| fields.get(at).map(|field| Named { field, part: None });
                named.extend(of(entry, entry, whole)?);
            }
            Some((parent, map)) => {
                let parent = parent.parse::<usize>().ok().and_then(|at| fields.get(at));
                let field =
                    parent.ok_or_else(|| format!("{entry:.80?} names a compound that is not there"))?;
                let part = |at: usize| {
                    field.parts.get(at).map(|part| Named {
                        field,
                        part: Some(part),
                    })
                };
                named.extend(of(entry, map, part)?);
            }
        }
    }
    Ok(named)
}

fn of<T>(entry: &str, map: &str, at: impl Fn(usize) -> Option<T>) -> Result<Vec<T>, String> {
    let bits = bits(map).ok_or_else(|| format!("{entry:.80?} is not a bitmap"))?;
    bits.into_iter()
        .map(|bit| {
            at(bit).ok_or_else(|| format!("{entry:.80?} names field {bit}, which the schema does not have"))
        })
        .collect()
}

/// The set bits of `0x…`, lowest first.
fn bits(map: &str) -> Option<Vec<usize>> {
    let digits = map.strip_prefix("0x").filter(|digits| !digits.is_empty())?;
    let mut set = Vec::new();
    for (place, digit) in digits.chars().rev().enumerate() {
        let nibble = digit.to_digit(16)?;
        set.extend(
            (0..4)
                .filter(|bit| nibble >> bit & 1 == 1)
                .map(|bit| place * 4 + bit),
        );
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(names: &[&str]) -> Vec<FieldShape> {
        let field = |name: &&str| FieldShape {
            name: (*name).to_owned(),
            parts: vec![],
        };
        names.iter().map(field).collect()
    }

    fn numbered(fields: usize) -> Vec<FieldShape> {
        let field = |at: usize| FieldShape {
            name: format!("F{at}"),
            parts: (0..at % 5).map(|part| format!("P{part}")).collect(),
        };
        (0..fields).map(field).collect()
    }

    fn decoded(maps: &[&str], fields: &[FieldShape]) -> Result<Vec<String>, String> {
        let maps: Vec<String> = maps.iter().map(|map| (*map).to_owned()).collect();
        let text = |named: Named| match named.part {
            None => named.field.name.clone(),
            Some(part) => format!("{}.{part}", named.field.name),
        };
        Ok(decode(&maps, fields)?.into_iter().map(text).collect())
    }

    /// The sample of the Change Data Capture guide: an account whose street was changed.
    #[test]
    fn the_vendor_s_sample_is_read() {
        let mut account = plain(&[
            "ChangeEventHeader",
            "Name",
            "Type",
            "ParentId",
            "BillingAddress",
            "ShippingAddress",
            "Phone",
            "Fax",
            "AccountNumber",
            "Website",
            "Sic",
            "Industry",
            "AnnualRevenue",
            "NumberOfEmployees",
            "Ownership",
            "TickerSymbol",
            "Description",
            "Rating",
            "Site",
            "OwnerId",
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
        ]);
        account[4].parts = ["Street", "City"].map(str::to_owned).to_vec();
        let named = decoded(&["0x400000", "4-0x01"], &account);
        assert_eq!(
            named.expect("it decodes"),
            ["LastModifiedDate", "BillingAddress.Street"]
        );
        let only_a_part = decoded(&["4-0x02"], &account);
        assert_eq!(only_a_part.expect("it decodes"), ["BillingAddress.City"]);
    }

    /// A number seen in a real org.
    #[test]
    fn a_real_number_is_read() {
        let fields = numbered(31);
        let named = decoded(&["0x650004E0"], &fields).expect("it decodes");
        assert_eq!(named, ["F5", "F6", "F7", "F10", "F24", "F26", "F29", "F30"]);
        assert_eq!(decoded(&["0x650004e0"], &fields).expect("it decodes"), named);
    }

    #[test]
    fn what_is_no_bitmap_or_beyond_the_schema_is_said() {
        let fields = numbered(8);
        for bad in [
            "", "0x", "400000", "0xZZ", "x-0x01", "-1-0x01", "9-0x01", "4-", "4-0x", "0x0100", "4-0x10",
            "5-0x01", "0-0x01", "4-0-0x01", "é", "0x-1",
        ] {
            decoded(&[bad], &fields).expect_err(bad);
        }
        assert_eq!(
            decoded(&[], &fields).expect("nothing is fine"),
            Vec::<String>::new()
        );
        assert_eq!(
            decoded(&["0x00"], &fields).expect("no bit is fine"),
            Vec::<String>::new()
        );
    }

    proptest! {
        #[test]
        fn what_was_set_is_named(set in proptest::collection::btree_set(0_usize..300, 0..40)) {
            let fields = numbered(300);
            let mut bytes = [0_u8; 38];
            set.iter().for_each(|bit| bytes[37 - bit / 8] |= 1 << (bit % 8));
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            let names: Vec<String> = set.iter().map(|bit| format!("F{bit}")).collect();
            prop_assert_eq!(decoded(&[&format!("0x{hex}")], &fields).expect("it decodes"), names);
        }

        #[test]
        fn any_text_is_taken_or_refused(texts in proptest::collection::vec(any::<String>(), 0..4)) {
            let fields = numbered(20);
            if let Ok(named) = decode(&texts, &fields) {
                prop_assert!(named.iter().all(|named| fields.contains(named.field)));
            }
        }
    }
}
