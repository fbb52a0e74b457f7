/** The types that the care service's properties have. */
export type PropertyType =
  | 'Edm.String'
  | 'Edm.Int32'
  | 'Edm.Int64'
  | 'Edm.Decimal'
  | 'Edm.Double'
  | 'Edm.Guid'
  | 'Edm.Boolean'
  | 'Edm.Date'
  | 'Edm.DateTimeOffset'
  | 'Care.Status'
  | 'Care.Vitals'
  | 'Collection(Edm.String)';

export interface SetSchema {
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, PropertyType>>;
  /** The service numbers its records itself. */
  readonly isNumbered?: boolean;
  /** Writes need an ETag. */
  readonly isGuarded?: boolean;
}

/** The entity sets of the service; what its `$metadata` says of them is written below by hand. */
export const SETS: Readonly<Record<string, SetSchema>> = {
  Visits: {
    keys: ['ID'],
    isGuarded: true,
    properties: {
      ID: 'Edm.String',
      LastModified: 'Edm.DateTimeOffset',
      Note: 'Edm.String',
      Price: 'Edm.Decimal',
      Serial: 'Edm.Int64',
      Minutes: 'Edm.Int32',
      Day: 'Edm.Date',
      Done: 'Edm.Boolean',
      Weight: 'Edm.Double',
      Status: 'Care.Status',
      Vitals: 'Care.Vitals',
      Tags: 'Collection(Edm.String)',
      PatientID: 'Edm.Int32',
    },
  },
  Patients: {
    keys: ['ID'],
    isNumbered: true,
    properties: { ID: 'Edm.Int32', LastModified: 'Edm.DateTimeOffset', Name: 'Edm.String', ExternalRef: 'Edm.String' },
  },
  Lines: {
    keys: ['VisitID', 'Number'],
    properties: {
      VisitID: 'Edm.String',
      Number: 'Edm.Int32',
      LastModified: 'Edm.DateTimeOffset',
      Sku: 'Edm.String',
    },
  },
  Rooms: {
    keys: ['ID'],
    properties: { ID: 'Edm.Guid', LastModified: 'Edm.DateTimeOffset', Name: 'Edm.String' },
  },
};

export const STATUSES = ['Planned', 'Done', 'Missed'] as const;

/** The document, as a service of OData 4.0 writes it: a base type, an alias, annotations in both places. */
export const METADATA = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:Reference Uri="https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml">
    <edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/>
  </edmx:Reference>
  <edmx:DataServices>
    <Schema Namespace="Care" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EntityType Name="Stamped" Abstract="true">
        <Property Name="LastModified" Type="Edm.DateTimeOffset" Nullable="false" Precision="3">
          <Annotation Term="Core.Computed" Bool="true"/>
        </Property>
      </EntityType>
      <EntityType Name="Visit" BaseType="Self.Stamped">
        <Key><PropertyRef Name="ID"/></Key>
        <Property Name="ID" Type="Edm.String" Nullable="false" MaxLength="200"/>
        <Property Name="Note" Type="Edm.String"/>
        <Property Name="Price" Type="Self.Money"/>
        <Property Name="Serial" Type="Edm.Int64"/>
        <Property Name="Minutes" Type="Edm.Int32"/>
        <Property Name="Day" Type="Edm.Date"/>
        <Property Name="Done" Type="Edm.Boolean"/>
        <Property Name="Weight" Type="Edm.Double"/>
        <Property Name="Status" Type="Self.Status" Nullable="false"/>
        <Property Name="Vitals" Type="Self.Vitals"/>
        <Property Name="Tags" Type="Collection(Edm.String)" Nullable="false"/>
        <Property Name="PatientID" Type="Edm.Int32"/>
        <NavigationProperty Name="Lines" Type="Collection(Self.Line)"/>
      </EntityType>
      <EntityType Name="Patient" BaseType="Care.Stamped">
        <Key><PropertyRef Name="ID"/></Key>
        <Property Name="ID" Type="Edm.Int32" Nullable="false"/>
        <Property Name="Name" Type="Edm.String" Nullable="false"/>
        <Property Name="ExternalRef" Type="Edm.String"/>
      </EntityType>
      <EntityType Name="Line" BaseType="Self.Stamped">
        <Key><PropertyRef Name="VisitID"/><PropertyRef Name="Number"/></Key>
        <Property Name="VisitID" Type="Edm.String" Nullable="false"/>
        <Property Name="Number" Type="Edm.Int32" Nullable="false"/>
        <Property Name="Sku" Type="Edm.String"/>
      </EntityType>
      <EntityType Name="Room" BaseType="Self.Stamped">
        <Key><PropertyRef Name="ID"/></Key>
        <Property Name="ID" Type="Edm.Guid" Nullable="false"/>
        <Property Name="Name" Type="Edm.String"/>
      </EntityType>
      <ComplexType Name="Vitals">
        <Property Name="Pulse" Type="Edm.Int32"/>
        <Property Name="Remark" Type="Edm.String"/>
      </ComplexType>
      <EnumType Name="Status"><Member Name="Planned" Value="0"/><Member Name="Done"/><Member Name="Missed"/></EnumType>
      <TypeDefinition Name="Money" UnderlyingType="Edm.Decimal" Precision="38" Scale="variable"/>
      <EntityContainer Name="Service">
        <EntitySet Name="Visits" EntityType="Self.Visit">
          <Annotation Term="Core.OptimisticConcurrency"><Collection/></Annotation>
        </EntitySet>
        <EntitySet Name="Patients" EntityType="Self.Patient"/>
        <EntitySet Name="Lines" EntityType="Care.Line"/>
        <EntitySet Name="Rooms" EntityType="Self.Room"/>
      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>`;
