//! The org's own description as rows: EntityDefinition, FieldDefinition and their kin.

use super::objects::{SCHEMA, SHARED};
use super::subscriptions;
use crate::events::{STANDARD, event_name};
use crate::org::{Id, Org, Row, Value};
use crate::schema::describe::groupable;
use crate::schema::{Field, ID, Kind, Object, OnDelete, Schema};
use rust_decimal::Decimal;
use std::collections::HashMap;

/// An org of the tooling API that describes this one, as this view of its schema shows it.
pub fn of(org: &Org, view: &Schema) -> Org {
    let mut catalog = Catalog {
        made: Org::bare(SCHEMA.clone()),
        keys: HashMap::new(),
    };
    let visible = || view.objects().iter().filter(|o| !o.hidden);
    visible().for_each(|object| catalog.entity(object));
    for object in visible() {
        for field in object.shown.iter().map(|at| &object.fields[*at]) {
            catalog.field(object, field);
        }
    }
    for object in visible() {
        for list in &object.children {
            catalog.relationship(object, view.at(list.object), list.field, list.name.as_deref());
        }
    }
    catalog.captured(org, view);
    for (name, _) in SHARED {
        catalog.copy(org, name);
    }
    for one in org.subscriptions().all() {
        let columns = subscriptions::columns(one);
        let values: Vec<_> = columns.iter().map(|(name, text)| (*name, Text(text))).collect();
        catalog.put(subscriptions::OBJECT, Some(&one.id), &values);
    }
    catalog.made
}

struct Catalog {
    made: Org,
    /// Rows by object and durable id.
    keys: HashMap<(&'static str, String), Id>,
}

/// A value of a row under construction.
enum Given<'a> {
    Text(&'a str),
    Flag(bool),
    Int(u32),
    Key(&'static str, &'a str),
}
use Given::{Flag, Int, Key, Text};

/// Durable id of an object: its name, or the id of a custom object's definition.
fn durable_object(object: &Object) -> String {
    if object.custom {
        definition_id(b"01I", &object.name).to_string()
    } else {
        object.name.clone()
    }
}

/// Durable id of a field: the object's, and its name or the id of its definition.
fn durable_field(object: &Object, field: &Field) -> String {
    let own = if field.custom {
        definition_id(b"00N", &format!("{}.{}", object.name, field.name)).to_string()
    } else {
        // Compound parts and references are named without their suffix.
        field
            .name
            .strip_suffix("Id")
            .filter(|n| !n.is_empty() && field.reference.is_some())
            .unwrap_or(&field.name)
            .to_owned()
    };
    format!("{}.{own}", durable_object(object))
}

/// The id of a custom object's or field's definition: the same for the same name (FNV-1a over it).
fn definition_id(prefix: &[u8; 3], name: &str) -> Id {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    Id::new(*prefix, hash)
}

/// The name without the ending that custom ones have.
fn developer_name(name: &str) -> &str {
    name.strip_suffix("__c").unwrap_or(name)
}

fn publisher(custom: bool) -> &'static str {
    if custom { "<local>" } else { "System" }
}

impl Catalog {
    fn put(&mut self, object: &'static str, durable: Option<&str>, values: &[(&str, Given<'_>)]) {
        let (schema, count) = (self.made.schema(), self.keys.len() as u64);
        let Some(at) = schema.position(object) else { return };
        let here = schema.at(at);
        let id = match durable.map(Id::parse) {
            // Definitions of custom objects and fields are records of their own.
            Some(Some(id)) if id.prefix() == here.prefix => id,
            _ => Id::new(here.prefix, count + 1),
        };
        let mut row = vec![Value::Null; here.fields.len()];
        for (field, value) in here.fields.iter().zip(&mut row) {
            if field.kind == Kind::Boolean {
                *value = Value::Bool(false);
            }
        }
        row[ID] = Value::Id(id);
        for (name, given) in values {
            let Some(field) = here.position(name) else {
                continue;
            };
            row[field] = match given {
                Text(text) => Value::text(text),
                Flag(flag) => Value::Bool(*flag),
                Int(n) => Value::Number(Decimal::from(*n)),
                Key(object, durable) => {
                    let key = self.keys.get(&(*object, (*durable).to_owned()));
                    key.map_or(Value::Null, |id| Value::Id(*id))
                }
            };
        }
        self.keys.insert(
            (object, durable.map_or_else(|| id.to_string(), str::to_owned)),
            id,
        );
        self.made.put_row(
            at,
            id,
            Row {
                deleted: false,
                bin: None,
                values: row,
            },
        );
    }

    /// What the org has selected for change events, channel by channel.
    fn captured(&mut self, org: &Org, view: &Schema) {
        let capture = org.capture();
        let standard = view
            .objects()
            .iter()
            .filter(|object| capture.on_standard_channel(object));
        let standard = standard.map(|object| (STANDARD, event_name(object)));
        let own = capture.channels.iter().filter(|channel| channel.name != STANDARD);
        let own = own.flat_map(|channel| {
            channel
                .members
                .iter()
                .map(|member| (channel.name.as_str(), member))
        });
        let own = own.map(|(channel, member)| (channel, member.selected_entity.clone()));
        let members: Vec<(&str, String)> = standard.chain(own).collect();
        for (channel, event) in members {
            let name = format!("{}_{event}", channel.trim_end_matches("__chn"));
            let values = [
                ("DeveloperName", Text(&name)),
                ("FullName", Text(&name)),
                ("EventChannel", Text(channel)),
                ("SelectedEntity", Text(&event)),
                ("ManageableState", Text("unmanaged")),
            ];
            self.put("PlatformEventChannelMember", None, &values);
        }
    }

    fn entity(&mut self, object: &Object) {
        let durable = durable_object(object);
        let (layout, create) = (object.can("layout"), object.can("create"));
        let url = |end: &str| format!("/{}{end}", object.prefix_text());
        let values = [
            ("DurableId", Text(&durable)),
            ("QualifiedApiName", Text(&object.name)),
            ("DeveloperName", Text(developer_name(&object.name))),
            ("MasterLabel", Text(&object.label)),
            ("Label", Text(&object.label)),
            ("PluralLabel", Text(&object.plural)),
            ("KeyPrefix", Text(object.prefix_text())),
            ("PublisherId", Text(publisher(object.custom))),
            (
                "DeploymentStatus",
                Text(if object.custom { "Deployed" } else { "" }),
            ),
            ("DetailUrl", Text(&url("/{ID}"))),
            ("EditUrl", Text(&url("/{ID}/e"))),
            ("NewUrl", Text(&url("/e"))),
            ("InternalSharingModel", Text("ReadWrite")),
            ("ExternalSharingModel", Text("Private")),
            ("IsCustomizable", Flag(layout)),
            ("IsApexTriggerable", Flag(create)),
            ("IsTriggerable", Flag(create)),
            ("IsWorkflowEnabled", Flag(layout)),
            ("IsProcessEnabled", Flag(layout)),
            ("IsCompactLayoutable", Flag(layout)),
            ("IsLayoutable", Flag(layout)),
            ("IsMruEnabled", Flag(layout)),
            ("IsReplicateable", Flag(object.can("replicate"))),
            ("IsRetrieveable", Flag(true)),
            ("IsSearchLayoutable", Flag(object.can("search"))),
            ("IsSearchable", Flag(object.can("search"))),
            ("IsIdEnabled", Flag(true)),
            ("IsEverCreatable", Flag(create)),
            ("IsEverUpdatable", Flag(object.can("update"))),
            ("IsEverDeletable", Flag(object.can("delete"))),
            ("IsQueryable", Flag(true)),
        ];
        self.put("EntityDefinition", Some(&durable), &values);
        if object.custom {
            let values = [
                ("DeveloperName", Text(developer_name(&object.name))),
                ("ManageableState", Text("unmanaged")),
                ("SharingModel", Text("ReadWrite")),
            ];
            self.put("CustomObject", Some(&durable), &values);
        }
    }

    fn field(&mut self, object: &Object, field: &Field) {
        let (entity, durable) = (durable_object(object), durable_field(object, field));
        self.field_definition(object, field, &entity, &durable);
        if field.custom {
            let own = durable.rsplit('.').next().unwrap_or_default();
            let values = [
                ("DeveloperName", Text(developer_name(&field.name))),
                ("TableEnumOrId", Text(&entity)),
                ("EntityDefinitionId", Text(&entity)),
                ("EntityDefinitionKey", Key("EntityDefinition", &entity)),
                ("ManageableState", Text("unmanaged")),
                ("InlineHelpText", Text(field.help.as_deref().unwrap_or_default())),
                ("Length", Int(field.length)),
                ("Precision", Int(u32::from(field.precision))),
                ("Scale", Int(u32::from(field.scale))),
            ];
            self.put("CustomField", Some(own), &values);
        }
        self.particle(object, field, &entity, &durable);
        for (n, value) in field.values.iter().enumerate() {
            let values = [
                ("DurableId", Text(&format!("{durable}.{n}"))),
                ("EntityParticleId", Text(&durable)),
                ("EntityParticleKey", Key("EntityParticle", &durable)),
                ("Value", Text(&value.value)),
                ("Label", Text(value.label.as_deref().unwrap_or(&value.value))),
                ("IsDefaultValue", Flag(value.default)),
                ("IsActive", Flag(value.active)),
            ];
            self.put("PicklistValueInfo", Some(&format!("{durable}.{n}")), &values);
        }
    }

    fn field_definition(&mut self, object: &Object, field: &Field, entity: &str, durable: &str) {
        let reference = field.reference.as_ref();
        let plain = field.kind != Kind::Address && field.filterable;
        let values = [
            ("DurableId", Text(durable)),
            ("QualifiedApiName", Text(&field.name)),
            ("EntityDefinitionId", Text(entity)),
            ("EntityDefinitionKey", Key("EntityDefinition", entity)),
            ("DeveloperName", Text(durable_name(field))),
            ("MasterLabel", Text(&field.label)),
            ("Label", Text(&field.label)),
            ("Length", Int(field.length)),
            ("Precision", Int(u32::from(field.precision))),
            ("Scale", Int(u32::from(field.scale))),
            ("IsCalculated", Flag(field.calculated())),
            ("DataType", Text(&data_type(field))),
            (
                "ServiceDataTypeId",
                Text(field.kind.soap().split(':').next_back().unwrap_or_default()),
            ),
            ("ValueTypeId", Text(value_type(field.kind))),
            ("IsNameField", Flag(field.name_field)),
            ("IsNillable", Flag(field.nillable)),
            ("IsIndexed", Flag(field.indexed || field.kind == Kind::Id)),
            ("IsApiFilterable", Flag(plain)),
            ("IsApiSortable", Flag(plain)),
            ("IsApiGroupable", Flag(groupable(field))),
            ("IsListFilterable", Flag(plain)),
            ("IsListSortable", Flag(plain)),
            ("IsListVisible", Flag(object.can("layout"))),
            ("IsWorkflowFilterable", Flag(plain && object.can("layout"))),
            ("IsCompactLayoutable", Flag(plain && object.can("layout"))),
            ("IsFlsEnabled", Flag(field.nillable && field.createable)),
            (
                "IsPolymorphicForeignKey",
                Flag(reference.is_some_and(|r| r.polymorphic)),
            ),
            ("IsCompound", Flag(field.kind == Kind::Address)),
            ("IsSearchPrefilterable", Flag(reference.is_some())),
            ("PublisherId", Text(publisher(field.custom))),
            (
                "RelationshipName",
                Text(
                    reference
                        .and_then(|r| r.relationship.as_deref())
                        .unwrap_or_default(),
                ),
            ),
        ];
        self.put("FieldDefinition", Some(durable), &values);
    }

    fn particle(&mut self, object: &Object, field: &Field, entity: &str, durable: &str) {
        let reference = field.reference.as_ref();
        let plain = field.kind != Kind::Address && field.filterable;
        let values = [
            ("DurableId", Text(durable)),
            ("QualifiedApiName", Text(&field.name)),
            ("EntityDefinitionId", Text(entity)),
            ("EntityDefinitionKey", Key("EntityDefinition", entity)),
            ("FieldDefinitionId", Text(durable)),
            ("FieldDefinitionKey", Key("FieldDefinition", durable)),
            ("DeveloperName", Text(durable_name(field))),
            ("MasterLabel", Text(&field.label)),
            ("Label", Text(&field.label)),
            ("Name", Text(&field.name)),
            ("Length", Int(field.length)),
            (
                "ByteLength",
                Int(if field.kind.is_text() {
                    field.length * 3
                } else {
                    field.length
                }),
            ),
            ("Digits", Int(u32::from(field.digits))),
            ("Precision", Int(u32::from(field.precision))),
            ("Scale", Int(u32::from(field.scale))),
            ("DataType", Text(field.kind.name())),
            ("ValueTypeId", Text(value_type(field.kind))),
            ("InlineHelpText", Text(field.help.as_deref().unwrap_or_default())),
            (
                "RelationshipName",
                Text(
                    reference
                        .and_then(|r| r.relationship.as_deref())
                        .unwrap_or_default(),
                ),
            ),
            ("IsAutonumber", Flag(field.auto_number.is_some())),
            ("IsCalculated", Flag(field.calculated())),
            ("IsCaseSensitive", Flag(field.case_sensitive)),
            ("IsUnique", Flag(field.unique)),
            ("IsCreatable", Flag(field.createable)),
            ("IsUpdatable", Flag(field.updateable)),
            ("IsDefaultedOnCreate", Flag(field.defaulted)),
            ("IsIdLookup", Flag(field.id_lookup)),
            ("IsNameField", Flag(field.name_field)),
            ("IsNamePointing", Flag(reference.is_some_and(|r| r.polymorphic))),
            ("IsNillable", Flag(field.nillable)),
            ("IsPermissionable", Flag(field.nillable && field.createable)),
            ("IsApiFilterable", Flag(plain)),
            ("IsApiSortable", Flag(plain)),
            ("IsApiGroupable", Flag(groupable(field))),
            ("IsLayoutable", Flag(object.can("layout"))),
        ];
        self.put("EntityParticle", Some(durable), &values);
    }

    fn relationship(&mut self, parent: &Object, child: &Object, field: usize, name: Option<&str>) {
        let field = &child.fields[field];
        let (up, down, by) = (
            durable_object(parent),
            durable_object(child),
            durable_field(child, field),
        );
        let durable = format!("{up}.{by}");
        let on_delete = field.reference.as_ref().map(|r| r.on_delete);
        let values = [
            ("DurableId", Text(&durable)),
            ("ParentSobjectId", Text(&up)),
            ("ParentSobjectKey", Key("EntityDefinition", &up)),
            ("ChildSobjectId", Text(&down)),
            ("ChildSobjectKey", Key("EntityDefinition", &down)),
            ("RelationshipInfoId", Text(&by)),
            ("RelationshipName", Text(name.unwrap_or_default())),
            ("FieldId", Text(&by)),
            ("FieldKey", Key("FieldDefinition", &by)),
            ("IsCascadeDelete", Flag(on_delete == Some(OnDelete::Cascade))),
            ("IsRestrictedDelete", Flag(on_delete == Some(OnDelete::Restrict))),
        ];
        self.put("RelationshipDomain", Some(&durable), &values);
    }

    /// Rows that both APIs show.
    fn copy(&mut self, org: &Org, name: &str) {
        let (from, to) = (org.schema(), self.made.schema());
        let (Some(source), Some(target)) = (from.position(name), to.position(name)) else {
            return;
        };
        let places: Vec<Option<usize>> = to
            .at(target)
            .fields
            .iter()
            .map(|f| from.at(source).position(&f.name))
            .collect();
        for (id, row) in org.table(source).rows().filter(|(_, row)| !row.deleted) {
            let value = |place: &Option<usize>| place.map_or(Value::Null, |at| row.values[at].clone());
            let values = places.iter().map(value).collect();
            self.made.put_row(
                target,
                id,
                Row {
                    deleted: false,
                    bin: None,
                    values,
                },
            );
        }
    }
}

fn durable_name(field: &Field) -> &str {
    let name = developer_name(&field.name);
    name.strip_suffix("Id")
        .filter(|n| !n.is_empty() && field.reference.is_some())
        .unwrap_or(name)
}

/// Types as the setup pages write them: `Text(255)`, `Currency(16, 2)`, `Lookup(Account)`.
fn data_type(field: &Field) -> String {
    let whole = u32::from(field.precision.saturating_sub(field.scale));
    let number = |name: &str| format!("{name}({whole}, {})", field.scale);
    match field.kind {
        Kind::Id => format!("Lookup({})", field.name),
        Kind::String if field.auto_number.is_some() => "Auto Number".into(),
        Kind::String => format!("Text({})", field.length),
        Kind::Textarea if field.length > 255 => format!("Long Text Area({})", field.length),
        Kind::Textarea => "Text Area".into(),
        Kind::Boolean => "Checkbox".into(),
        Kind::Int => format!("Number({}, 0)", field.digits),
        Kind::Double => number("Number"),
        Kind::Currency => number("Currency"),
        Kind::Percent => number("Percent"),
        Kind::Date => "Date".into(),
        Kind::DateTime => "Date/Time".into(),
        Kind::Time => "Time".into(),
        Kind::Reference => {
            let to = field
                .reference
                .as_ref()
                .map(|r| r.to.join(","))
                .unwrap_or_default();
            format!("Lookup({to})")
        }
        Kind::Picklist => "Picklist".into(),
        Kind::MultiPicklist => "Picklist (Multi-Select)".into(),
        Kind::Email => "Email".into(),
        Kind::Phone => "Phone".into(),
        Kind::Url => format!("URL({})", field.length),
        Kind::Address => "Address".into(),
    }
}

/// Types as the value itself has them.
fn value_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Reference => "id",
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Double | Kind::Currency | Kind::Percent => "double",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Time => "time",
        Kind::Address => "address",
        _ => "string",
    }
}
