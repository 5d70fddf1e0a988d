//! Which fields of an object its change events have, and in which order.
//!
//! The order matters: clients read bitmaps by position. Those of Account and Opportunity are from schemas of real
//! orgs; the others follow the describes.

use crate::schema::{Field, Object};

/// What has no place in an event: what other records say, and what the event itself says (Object Reference,
/// StandardObjectNameChangeEvent: fields that a change event doesn't include).
const LEFT_OUT: [&str; 18] = [
    "Id",
    "IsDeleted",
    "SystemModstamp",
    "MasterRecordId",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "LastLoginDate",
    "PhotoUrl",
    "SmallPhotoUrl",
    "FullPhotoUrl",
    "Fiscal",
    "FiscalQuarter",
    "FiscalYear",
    "HasOpenActivity",
    "HasOverdueTask",
    "PushCount",
    "IsEmailBounced",
];

/// Fields that stand in events but are computed, so that their change alone is none.
const COMPUTED: [(&str, &str); 1] = [("Opportunity", "ExpectedRevenue")];

/// Parts of a person's name, which travel as one field.
pub const NAME_PARTS: [&str; 3] = ["Salutation", "FirstName", "LastName"];

/// A place in an event. `Name` and addresses stand for their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A field, left out when the object has none of this name.
    Of(&'static str),
    /// A field that real orgs have; when the object here has none, it has this `doc` and never a value.
    Also(&'static str, &'static str),
    /// The id of a history row that comes with each change of another field.
    History(&'static str, &'static str),
}

use Place::{Also, History, Of};

const RECORD_TYPE: &str = "RecordTypeId";
const REFERENCE: &str = "ForeignKey:EntityId";
const TEXT: &str = "Data:Text";

#[rustfmt::skip]
const ACCOUNT: &[Place] = &[
    Of("Name"), Of("Type"), Of("RecordTypeId"), Of("ParentId"), Of("BillingAddress"), Of("ShippingAddress"),
    Of("Phone"), Of("Fax"), Of("AccountNumber"), Of("Website"), Of("Sic"), Of("Industry"), Of("AnnualRevenue"),
    Of("NumberOfEmployees"), Of("Ownership"), Of("TickerSymbol"), Of("Description"), Of("Rating"), Of("Site"),
    Of("CurrencyIsoCode"), Of("OwnerId"), Of("CreatedDate"), Of("CreatedById"), Of("LastModifiedDate"),
    Of("LastModifiedById"), Also("Jigsaw", TEXT), Also("JigsawCompanyId", "ExternalForeignKey:ExternalId"),
    Also("CleanStatus", "Data:StaticEnum"), Of("AccountSource"), Also("DunsNumber", TEXT), Also("Tradestyle", TEXT),
    Also("NaicsCode", TEXT), Also("NaicsDesc", TEXT), Also("YearStarted", TEXT), Of("SicDesc"),
    Also("DandbCompanyId", REFERENCE), Also("OperatingHoursId", REFERENCE),
];

#[rustfmt::skip]
const OPPORTUNITY: &[Place] = &[
    Of("AccountId"), Of("RecordTypeId"), Of("IsPrivate"), Of("Name"), Of("Description"), Of("StageName"),
    Of("Amount"), Of("Probability"), Of("ExpectedRevenue"), Of("TotalOpportunityQuantity"), Of("CloseDate"),
    Of("Type"), Of("NextStep"), Of("LeadSource"), Of("IsClosed"), Of("IsWon"), Of("ForecastCategory"),
    Of("ForecastCategoryName"), Also("CampaignId", REFERENCE), Of("HasOpportunityLineItem"), Of("CurrencyIsoCode"),
    Of("Pricebook2Id"), Of("OwnerId"), Of("CreatedDate"), Of("CreatedById"), Of("LastModifiedDate"),
    Of("LastModifiedById"), Of("LastStageChangeDate"), Of("ContactId"), Also("ContractId", REFERENCE),
    History("LastAmountChangedHistoryId", "Amount"), History("LastCloseDateChangedHistoryId", "CloseDate"),
];

/// Everything else tells its fields in the order of its describe.
const OWN_ORDER: &[Place] = &[];

/// The order of an object's fields.
fn leading(object: &Object) -> &'static [Place] {
    match object.name.as_str() {
        "Account" => ACCOUNT,
        "Opportunity" => OPPORTUNITY,
        _ => OWN_ORDER,
    }
}

/// Places of an object's events: the known order, then what else the object has, custom fields last.
pub fn places(object: &Object) -> Vec<Spot<'_>> {
    let known = leading(object);
    let mut spots: Vec<Spot<'_>> = known
        .iter()
        .filter_map(|place| Spot::of(object, *place))
        .collect();
    for custom in [false, true] {
        let further = |field: &&Field| {
            let told = known.iter().any(|place| place.name() == field.name);
            field.custom == custom && stands(object, field) && !told
        };
        spots.extend(object.fields.iter().filter(further).map(Spot::Field));
    }
    spots
}

/// The same after somebody has changed the object in Setup: without its record type if it has one, with one where its
/// place is known, else with one more custom field.
pub fn other_places(object: &Object) -> Vec<Spot<'_>> {
    let mut spots = places(object);
    let record_type = spots.iter().position(|spot| spot.name() == RECORD_TYPE);
    let place = leading(object)
        .iter()
        .position(|place| place.name() == RECORD_TYPE);
    match (record_type, place) {
        (Some(at), _) => drop(spots.remove(at)),
        (None, Some(at)) => spots.insert(at, Spot::Absent(RECORD_TYPE, REFERENCE)),
        (None, None) => {
            let custom = spots
                .iter()
                .position(|spot| matches!(spot, Spot::Field(field) if field.custom));
            spots.insert(
                custom.unwrap_or(spots.len()),
                Spot::Absent("Added_Meanwhile__c", TEXT),
            );
        }
    }
    spots
}

/// A place of one object's events.
#[derive(Debug)]
pub enum Spot<'a> {
    /// A field of the object.
    Field(&'a Field),
    /// A field that it does not have here: name and `doc`.
    Absent(&'static str, &'static str),
    /// Name of a history id and the field it belongs to.
    History(&'static str, &'static str),
}

impl<'a> Spot<'a> {
    fn name(&self) -> &str {
        match self {
            Spot::Field(field) => &field.name,
            Spot::Absent(name, _) | Spot::History(name, _) => name,
        }
    }

    fn of(object: &'a Object, place: Place) -> Option<Spot<'a>> {
        let found = object.field(place.name()).map(Spot::Field);
        match place {
            Of(_) => found,
            Also(name, doc) => Some(found.unwrap_or(Spot::Absent(name, doc))),
            History(name, by) => Some(found.unwrap_or(Spot::History(name, by))),
        }
    }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Of(name) | Also(name, _) | History(name, _) => name,
        }
    }
}

/// Whether a person's name is one field made of parts.
pub fn is_person(object: &Object) -> bool {
    matches!(object.name.as_str(), "Contact" | "Lead" | "User")
}

/// Whether a change of this field alone is no change.
pub fn is_computed(object: &Object, field: &Field) -> bool {
    COMPUTED.contains(&(object.name.as_str(), field.name.as_str()))
}

fn stands(object: &Object, field: &Field) -> bool {
    let part = field.compound.is_some() || is_person(object) && NAME_PARTS.contains(&field.name.as_str());
    !part && stands_in_events(field)
}

/// Whether events tell of this field at all, by itself or as part of another.
pub fn stands_in_events(field: &Field) -> bool {
    field.formula.is_none() && !LEFT_OUT.contains(&field.name.as_str())
}
