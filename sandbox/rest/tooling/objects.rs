//! The objects of the tooling API that are served (Tooling API Developer Guide, Tooling API Objects), as a table.

use crate::schema::{FieldSpec, ObjectSpec, Schema};
use std::sync::{Arc, LazyLock};

/// Name, key prefix, whether the data API knows it as well, and its fields: `name:type`, or
/// `name>object/relationship/child list` for a reference. Types are those of describes; plain names are texts.
const OBJECTS: [(&str, &str, bool, &str); 23] = [
    (
        "EntityDefinition",
        "4ie",
        true,
        "DurableId QualifiedApiName NamespacePrefix DeveloperName MasterLabel Label PluralLabel KeyPrefix PublisherId \
         DefaultCompactLayoutId DeploymentStatus DetailUrl EditUrl NewUrl EditDefinitionUrl HelpSettingPageName \
         HelpSettingPageUrl RunningUserEntityAccessId InternalSharingModel ExternalSharingModel IsCustomizable:boolean \
         IsApexTriggerable:boolean IsWorkflowEnabled:boolean IsProcessEnabled:boolean IsCompactLayoutable:boolean \
         IsCustomSetting:boolean IsDeprecatedAndHidden:boolean IsReplicateable:boolean IsRetrieveable:boolean \
         IsSearchLayoutable:boolean IsSearchable:boolean IsTriggerable:boolean IsIdEnabled:boolean \
         IsEverCreatable:boolean IsEverUpdatable:boolean IsEverDeletable:boolean IsFeedEnabled:boolean \
         IsQueryable:boolean IsMruEnabled:boolean IsLayoutable:boolean IsInterface:boolean HasSubtypes:boolean \
         IsSubtype:boolean IsAutoActivityCaptureEnabled:boolean",
    ),
    (
        "FieldDefinition",
        "4fe",
        true,
        "DurableId QualifiedApiName EntityDefinitionId EntityDefinitionKey>EntityDefinition/EntityDefinition/Fields \
         NamespacePrefix DeveloperName MasterLabel Label Length:int DataType ServiceDataTypeId ValueTypeId ExtraTypeInfo \
         IsCalculated:boolean IsHighScaleNumber:boolean IsHtmlFormatted:boolean IsNameField:boolean IsNillable:boolean \
         IsWorkflowFilterable:boolean IsCompactLayoutable:boolean Precision:int Scale:int IsFieldHistoryTracked:boolean \
         IsIndexed:boolean IsApiFilterable:boolean IsApiSortable:boolean IsApiGroupable:boolean IsListVisible:boolean \
         IsListFilterable:boolean IsListSortable:boolean IsFlsEnabled:boolean IsPolymorphicForeignKey:boolean \
         IsCompound:boolean IsSearchPrefilterable:boolean PublisherId RelationshipName ReferenceTo ReferenceTargetField \
         ControllingFieldDefinitionId RunningUserFieldAccessId Description BusinessOwnerId BusinessStatus \
         SecurityClassification ComplianceGroup",
    ),
    (
        "EntityParticle",
        "0Nv",
        true,
        "DurableId QualifiedApiName EntityDefinitionId EntityDefinitionKey>EntityDefinition/EntityDefinition/Particles \
         FieldDefinitionId FieldDefinitionKey>FieldDefinition/FieldDefinition/Particles NamespacePrefix DeveloperName \
         MasterLabel Label Name Length:int DataType ValueTypeId ExtraTypeInfo DefaultValueFormula InlineHelpText Mask \
         MaskType ReferenceTargetField RelationshipName RelationshipOrder:int ByteLength:int Digits:int Precision:int \
         Scale:int IsAutonumber:boolean IsCalculated:boolean IsCaseSensitive:boolean IsUnique:boolean \
         IsCreatable:boolean IsUpdatable:boolean IsDefaultedOnCreate:boolean IsDependentPicklist:boolean \
         IsDeprecatedAndHidden:boolean IsEncrypted:boolean IsFieldHistoryTracked:boolean IsHighScaleNumber:boolean \
         IsHtmlFormatted:boolean IsIdLookup:boolean IsNameField:boolean IsNamePointing:boolean IsNillable:boolean \
         IsPermissionable:boolean IsCompactLayoutable:boolean IsApiFilterable:boolean IsApiSortable:boolean \
         IsApiGroupable:boolean IsLayoutable:boolean IsWorkflowFilterable:boolean IsDisplayLocationInDecimal:boolean",
    ),
    (
        "PicklistValueInfo",
        "4pv",
        true,
        "DurableId Value Label IsDefaultValue:boolean IsActive:boolean ValidFor EntityParticleId \
         EntityParticleKey>EntityParticle/EntityParticle/PicklistValues",
    ),
    (
        "RelationshipDomain",
        "0NW",
        true,
        "DurableId ParentSobjectId ParentSobjectKey>EntityDefinition/ParentSobject/ChildRelationships ChildSobjectId \
         ChildSobjectKey>EntityDefinition/ChildSobject/ RelationshipInfoId RelationshipName FieldId \
         FieldKey>FieldDefinition/Field/RelationshipDomains JunctionIdListNames IsDeprecatedAndHidden:boolean \
         IsCascadeDelete:boolean IsRestrictedDelete:boolean",
    ),
    (
        "ManagedEventSubscription",
        "18x",
        false,
        "DeveloperName MasterLabel Language NamespacePrefix FullName Metadata:textarea TopicName DefaultReplay ErrorRecoveryReplay State ManageableState",
    ),
    (
        "PlatformEventChannel",
        "0YL",
        false,
        "DeveloperName MasterLabel Language NamespacePrefix FullName Metadata:textarea ChannelType ManageableState",
    ),
    (
        "PlatformEventChannelMember",
        "0v8",
        false,
        "DeveloperName MasterLabel Language NamespacePrefix FullName Metadata:textarea EventChannel SelectedEntity FilterExpression:textarea ManageableState",
    ),
    (
        "CustomObject",
        "01I",
        false,
        "DeveloperName NamespacePrefix Description:textarea ManageableState Language SharingModel ExternalName",
    ),
    (
        "CustomField",
        "00N",
        false,
        "DeveloperName TableEnumOrId NamespacePrefix Description:textarea ManageableState FullName Metadata:textarea RelationshipLabel InlineHelpText Length:int Precision:int Scale:int EntityDefinitionId EntityDefinitionKey>EntityDefinition/EntityDefinition/CustomFields",
    ),
    (
        "ApexClass",
        "01p",
        true,
        "Name NamespacePrefix ApiVersion:double Status IsValid:boolean BodyCrc:double Body:textarea LengthWithoutComments:int ManageableState FullName Metadata:textarea SymbolTable:textarea",
    ),
    (
        "ApexTrigger",
        "01q",
        true,
        "Name NamespacePrefix TableEnumOrId ApiVersion:double Status IsValid:boolean BodyCrc:double Body:textarea LengthWithoutComments:int ManageableState UsageBeforeInsert:boolean UsageAfterInsert:boolean UsageBeforeUpdate:boolean UsageAfterUpdate:boolean UsageBeforeDelete:boolean UsageAfterDelete:boolean UsageAfterUndelete:boolean",
    ),
    (
        "ApexPage",
        "066",
        true,
        "Name NamespacePrefix MasterLabel ApiVersion:double ControllerType Markup:textarea ManageableState",
    ),
    (
        "ApexLog",
        "07L",
        true,
        "LogUserId>User/LogUser/ LogLength:int Operation Application Status DurationMilliseconds:int StartTime:datetime Location Request RequestIdentifier",
    ),
    (
        "TraceFlag",
        "7tf",
        false,
        "TracedEntityId DebugLevelId>DebugLevel/DebugLevel/ LogType StartDate:datetime ExpirationDate:datetime ApexCode ApexProfiling Callout Database System Validation Visualforce Workflow",
    ),
    (
        "DebugLevel",
        "7dl",
        false,
        "DeveloperName MasterLabel Language ApexCode ApexProfiling Callout Database System Validation Visualforce Workflow Nba Wave",
    ),
    (
        "ValidationRule",
        "03d",
        false,
        "ValidationName Active:boolean Description:textarea ErrorDisplayField ErrorMessage NamespacePrefix ManageableState FullName Metadata:textarea EntityDefinitionId EntityDefinitionKey>EntityDefinition/EntityDefinition/ValidationRules",
    ),
    (
        "WorkflowRule",
        "01Q",
        false,
        "Name TableEnumOrId NamespacePrefix ManageableState FullName Metadata:textarea",
    ),
    (
        "Flow",
        "301",
        false,
        "MasterLabel Description:textarea DefinitionId>FlowDefinition/Definition/Versions VersionNumber:int Status ProcessType ApiVersion:double IsTemplate:boolean RunInMode ManageableState FullName Metadata:textarea",
    ),
    (
        "FlowDefinition",
        "300",
        false,
        "DeveloperName MasterLabel Description:textarea NamespacePrefix ActiveVersionId LatestVersionId ManageableState FullName Metadata:textarea",
    ),
    (
        "Layout",
        "00h",
        false,
        "Name NamespacePrefix LayoutType TableEnumOrId ManageableState FullName Metadata:textarea EntityDefinitionId",
    ),
    (
        "InstalledSubscriberPackage",
        "0A3",
        false,
        "SubscriberPackageId SubscriberPackageVersionId MinPackageVersionId",
    ),
    (
        "PermissionSet",
        "0PS",
        true,
        "Name Label Description:textarea NamespacePrefix IsOwnedByProfile:boolean IsCustom:boolean Type ProfileId>Profile/Profile/",
    ),
];

/// Objects of the data API that the tooling API knows as well; their rows are the same.
pub const SHARED: [(&str, &str); 4] = [
    ("User", include_str!("../../schema/objects/user.json")),
    ("Profile", include_str!("../../schema/objects/profile.json")),
    (
        "RecordType",
        include_str!("../../schema/objects/record_type.json"),
    ),
    (
        "Organization",
        include_str!("../../schema/objects/organization.json"),
    ),
];

/// All objects of the tooling API.
pub static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let shared = SHARED
        .iter()
        .map(|(_, table)| serde_json::from_str(table).expect("an embedded table"));
    let own = OBJECTS
        .iter()
        .map(|(name, prefix, _, fields)| object(name, prefix, fields));
    let specs: Vec<ObjectSpec> = shared.chain(own).collect();
    Arc::new(Schema::of(&specs).expect("the tables are tested to fit together"))
});

/// Whether the data API answers queries of this object, too.
pub fn in_data_api(name: &str) -> bool {
    OBJECTS
        .iter()
        .any(|(known, _, both, _)| *both && known.eq_ignore_ascii_case(name))
}

fn object(name: &str, prefix: &str, fields: &str) -> ObjectSpec {
    let never = ["undelete", "search", "layout", "replicate"];
    let writes = ["create", "update", "delete"];
    let read_only = (name != super::subscriptions::OBJECT).then_some(writes);
    let without = never.into_iter().chain(read_only.into_iter().flatten());
    ObjectSpec {
        name: name.into(),
        label: None,
        plural: None,
        id_label: None,
        prefix: Some(prefix.into()),
        owner: false,
        record_types: false,
        currency: false,
        activities: false,
        feed: false,
        without: without.map(str::to_owned).collect(),
        name_field: None,
        fields: fields.split_whitespace().map(field).collect(),
    }
}

fn field(written: &str) -> FieldSpec {
    let read_only = Some(String::new());
    if let Some((name, target)) = written.split_once('>') {
        let mut parts = target.split('/').map(str::to_owned);
        return FieldSpec {
            access: read_only,
            references: parts.next().into_iter().collect(),
            relationship: parts.next().filter(|p| !p.is_empty()),
            children: parts.next().filter(|p| !p.is_empty()),
            ..FieldSpec::of(name, "reference")
        };
    }
    let (name, kind) = written.split_once(':').unwrap_or((written, "string"));
    FieldSpec {
        access: read_only,
        length: if kind == "textarea" { 32_000 } else { 0 },
        ..FieldSpec::of(name, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_fit_together() {
        assert_eq!(SCHEMA.objects().len(), OBJECTS.len() + SHARED.len());
    }
}
