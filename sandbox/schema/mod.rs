//! What objects and fields exist: the standard ones from embedded tables, custom ones from a scenario.

pub mod access;
pub mod address;
pub mod behaviour;
pub mod calculation;
pub mod custom;
pub mod describe;
mod describe_event;
pub mod describe_field;
pub mod field;
pub mod object;
pub mod spec;

pub use custom::Customization;
pub use describe_event::{change_event, change_event_brief};
pub use field::{Field, Kind, OnDelete, Reference};
pub use object::{Children, ID, Object};
pub use spec::{EventSpec, FieldSpec, ObjectSpec, PublishBehavior};

use std::collections::HashMap;

const TABLES: [&str; 18] = [
    include_str!("objects/account.json"),
    include_str!("objects/asset.json"),
    include_str!("objects/contact.json"),
    include_str!("objects/currency_type.json"),
    include_str!("objects/opportunity.json"),
    include_str!("objects/opportunity_contact_role.json"),
    include_str!("objects/opportunity_line_item.json"),
    include_str!("objects/opportunity_stage.json"),
    include_str!("objects/organization.json"),
    include_str!("objects/pricebook2.json"),
    include_str!("objects/pricebook_entry.json"),
    include_str!("objects/product2.json"),
    include_str!("objects/profile.json"),
    include_str!("objects/quote.json"),
    include_str!("objects/quote_line_item.json"),
    include_str!("objects/record_type.json"),
    include_str!("objects/task.json"),
    include_str!("objects/user.json"),
];

/// All objects of an org.
#[derive(Debug, Clone)]
pub struct Schema {
    objects: Vec<Object>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<[u8; 3], usize>,
    milestones: Vec<u16>,
}

impl Schema {
    /// The standard objects plus what a scenario adds. An error says which part does not fit.
    pub fn build(custom: &Customization) -> Result<Schema, String> {
        let mut schema = Schema {
            objects: Vec::new(),
            by_name: HashMap::new(),
            by_prefix: HashMap::new(),
            milestones: Vec::new(),
        };
        let multi = custom.currencies.len() > 1;
        let typed: Vec<&str> = custom.record_types.iter().map(|t| t.object.as_str()).collect();
        for table in TABLES {
            let spec: ObjectSpec = serde_json::from_str(table).map_err(|e| format!("object table: {e}"))?;
            if multi || spec.name != "CurrencyType" {
                schema.add(&spec, multi, &typed)?;
            }
        }
        for spec in &custom.objects {
            if !spec.name.ends_with("__c") {
                return Err(format!("custom object {} must end in __c", spec.name));
            }
            schema.add(spec, multi, &typed)?;
        }
        for spec in &custom.platform_events {
            schema.add_event(spec)?;
        }
        for (object, fields) in &custom.fields {
            schema.add_fields(object, fields)?;
        }
        schema.list_currencies(&custom.currencies);
        schema.link()?;
        schema.link_calculations()?;
        schema.link_behaviour(custom)?;
        schema.note_milestones();
        access::check(&schema, &custom.permissions)?;
        Ok(schema)
    }

    /// A schema of these objects alone; an error says which part does not fit. References named `…Key` only join rows
    /// that are made up and are shown to nobody.
    pub fn of(specs: &[ObjectSpec]) -> Result<Schema, String> {
        let mut schema = Schema {
            objects: Vec::new(),
            by_name: HashMap::new(),
            by_prefix: HashMap::new(),
            milestones: Vec::new(),
        };
        for spec in specs {
            schema.add(spec, false, &[])?;
        }
        for object in &mut schema.objects {
            let fields = &object.fields;
            object.shown.retain(|at| !fields[*at].name.ends_with("Key"));
        }
        schema.link()?;
        Ok(schema)
    }

    fn add(&mut self, spec: &ObjectSpec, multi: bool, typed: &[&str]) -> Result<(), String> {
        let prefix = match spec.prefix.as_deref().map(str::as_bytes) {
            Some([a, b, c]) => [*a, *b, *c],
            Some(_) => return Err(format!("{}: a key prefix has three characters", spec.name)),
            None => self.next_prefix(b'a'),
        };
        let has_types = typed.iter().any(|t| t.eq_ignore_ascii_case(&spec.name));
        self.push(Object::build(spec, prefix, multi, has_types)?)
    }

    fn add_event(&mut self, spec: &EventSpec) -> Result<(), String> {
        if !spec.name.ends_with("__e") {
            return Err(format!("platform event {} must end in __e", spec.name));
        }
        let foreign = spec.fields.iter().find(|field| !field.name.ends_with("__c"));
        if let Some(field) = foreign {
            return Err(format!(
                "{}.{}: a custom field must end in __c",
                spec.name, field.name
            ));
        }
        let prefix = self.next_prefix(b'e');
        self.push(Object::event(spec, prefix)?)
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        let at = self.objects.len();
        if self
            .by_name
            .insert(object.name.to_ascii_lowercase(), at)
            .is_some()
        {
            return Err(format!("object {} is defined twice", object.name));
        }
        if self.by_prefix.insert(object.prefix, at).is_some() {
            return Err(format!("{}: its key prefix is already taken", object.name));
        }
        self.objects.push(object);
        Ok(())
    }

    /// a00, a01 … in base 62; platform events have e00, e01 ….
    fn next_prefix(&self, family: u8) -> [u8; 3] {
        let digits = crate::org::id::BASE62;
        let made = self.objects.iter().filter(|o| o.prefix[0] == family).count();
        [family, digits[made / 62 % 62], digits[made % 62]]
    }

    fn add_fields(&mut self, object: &str, fields: &[FieldSpec]) -> Result<(), String> {
        let at = self
            .position(object)
            .ok_or_else(|| format!("fields for unknown object {object}"))?;
        for field in fields {
            if !field.name.ends_with("__c") {
                return Err(format!("{object}.{}: a custom field must end in __c", field.name));
            }
            let object = &mut self.objects[at];
            let added = match object.event {
                Some(_) => object.add_to_event(field),
                None => object.add(field),
            };
            added.map_err(|e| format!("{}: {e}", self.objects[at].name))?;
        }
        Ok(())
    }

    fn list_currencies(&mut self, codes: &[String]) {
        let values: Vec<_> = codes
            .iter()
            .map(|c| spec::PickSpec::Plain(c.clone()).full())
            .collect();
        for object in &mut self.objects {
            for field in object.fields.iter_mut().filter(|f| f.name == "CurrencyIsoCode") {
                field.values.clone_from(&values);
            }
        }
    }

    /// Resolves references to positions and gives parents their child lists.
    fn link(&mut self) -> Result<(), String> {
        let mut lists: Vec<(usize, Children)> = Vec::new();
        for child in 0..self.objects.len() {
            for at in 0..self.objects[child].fields.len() {
                let Some(reference) = &self.objects[child].fields[at].reference else {
                    continue;
                };
                let targets = self.targets(&self.objects[child].name, reference)?;
                for parent in &targets {
                    let name = reference.children.clone();
                    lists.push((
                        *parent,
                        Children {
                            object: child,
                            field: at,
                            name,
                        },
                    ));
                }
                if let Some(reference) = &mut self.objects[child].fields[at].reference {
                    reference.objects = targets;
                }
            }
        }
        for (parent, list) in lists {
            self.objects[parent].children.push(list);
        }
        Ok(())
    }

    fn targets(&self, object: &str, reference: &Reference) -> Result<Vec<usize>, String> {
        let find = |name: &String| {
            self.position(name)
                .ok_or_else(|| format!("{object}: reference to unknown object {name}"))
        };
        reference.to.iter().map(find).collect()
    }

    /// All objects, standard ones first.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Position of an object by name, in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The object at a position.
    pub fn at(&self, position: usize) -> &Object {
        &self.objects[position]
    }

    /// Object by name, in any case.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.position(name).map(|at| &self.objects[at])
    }

    /// Position of the object whose ids start with this prefix.
    pub fn by_prefix(&self, prefix: [u8; 3]) -> Option<usize> {
        self.by_prefix.get(&prefix).copied()
    }
}
