/** The `$metadata` of a service with everything that is odd in one: OData 4.01, two schemas under aliases, capabilities in every form. */
export const STORES_CSDL = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.01" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:Reference Uri="https://example.com/core.xml"><edmx:Include Namespace="Org.OData.Core.V1" Alias="C"/></edmx:Reference>
  <edmx:DataServices>
    <Schema Namespace="Acme.Types" Alias="T" xmlns="http://docs.oasis-open.org/odata/ns/edm" xmlns:e="urn:elsewhere">
      <EntityType Name="Base" Abstract="true">
        <Key><PropertyRef Name="Id"/></Key>
        <Property Name="Id" Type="Edm.Guid" Nullable="false"/>
        <Property Name="ModifiedAt" Type="Edm.DateTimeOffset" Nullable="false"><Annotation Term="C.Computed"/></Property>
      </EntityType>
      <EntityType Name="Item" BaseType="T.Base" OpenType="true">
        <Property Name="Name" Nullable="false" MaxLength="40"/>
        <Property Name="Note" Type="Edm.String" MaxLength="max"/>
        <Property Name="Price" Type="T.Money"/>
        <Property Name="Count" Type="Edm.Int64" Nullable="false" DefaultValue="0"/>
        <Property Name="Rank" Type="Edm.Byte"/>
        <Property Name="Weight" Type="Edm.Double"/>
        <Property Name="Sold" Type="Edm.Date"/>
        <Property Name="OpensAt" Type="Edm.TimeOfDay"/>
        <Property Name="Fresh" Type="Edm.Boolean"/>
        <Property Name="Kind" Type="T.Kind" Nullable="false"/>
        <Property Name="Answer" Type="T.Answer"/>
        <Property Name="Colours" Type="T.Colours"/>
        <Property Name="Box" Type="T.Box"/>
        <Property Name="Boxes" Type="Collection(T.Box)" Nullable="false"/>
        <Property Name="Tags" Type="Collection(Edm.String)" Nullable="false"/>
        <Property Name="Place" Type="Edm.GeographyPoint"/>
        <Property Name="Photo" Type="Edm.Stream"/>
        <Property Name="class" Type="Edm.Int16"/>
        <Property Name="Serial" Type="Edm.String"/>
        <Property Name="Owner" Type="Edm.String"><Annotation Term="C.Permissions" EnumMember="C.Permission/Read"/></Property>
        <Property Name="Buyer" Type="Edm.String"><Annotation Term="C.Permissions"><EnumMember>C.Permission/Read C.Permission/Write</EnumMember></Annotation></Property>
        <Property Name="Stock" Type="Edm.Int32"><Annotation Term="C.Computed" Bool="false"/></Property>
        <Property Name="a/b" Type="Edm.String"/>
        <NavigationProperty Name="Lines" Type="Collection(T.Line)" ContainsTarget="true"/>
        <e:Property Name="Ghost" Type="Edm.String"/>
      </EntityType>
      <EntityType Name="Line">
        <Key><PropertyRef Name="Item"/><PropertyRef Name="No"/></Key>
        <Property Name="Item" Type="Edm.Guid" Nullable="false"/>
        <Property Name="No" Type="Edm.Int32" Nullable="false"/>
        <Property Name="Changed" Type="Edm.DateTimeOffset"/>
        <Property Name="Text" Type="Edm.String"/>
      </EntityType>
      <EntityType Name="Entry"><Key><PropertyRef Name="No"/></Key>
        <Property Name="No" Type="Edm.Int32" Nullable="false"/><Property Name="UpdatedAt" Type="Edm.DateTimeOffset"/><Property Name="RowVersion" Type="Edm.Int64"/>
      </EntityType>
      <EntityType Name="Keyless"><Property Name="Text" Type="Edm.String"/></EntityType>
      <EntityType Name="Deep"><Key><PropertyRef Name="Box/Width" Alias="W"/></Key><Property Name="Box" Type="T.Box" Nullable="false"/></EntityType>
      <EntityType Name="Far" BaseType="Other.Thing"><Property Name="Text" Type="Edm.String"/></EntityType>
      <EntityType Name="Round" BaseType="T.Round"><Property Name="Text" Type="Edm.String"/></EntityType>
      <ComplexType Name="Box"><Property Name="Width" Type="Edm.Decimal" Nullable="false"/><Property Name="Inner" Type="T.Box"/></ComplexType>
      <EnumType Name="Kind"><Member Name="Small"/><Member Name="Large"/></EnumType>
      <EnumType Name="Answer"><Member Name="true"/><Member Name="false"/></EnumType>
      <EnumType Name="Colours" IsFlags="true"><Member Name="Red" Value="1"/><Member Name="Blue" Value="2"/></EnumType>
      <TypeDefinition Name="Money" UnderlyingType="Edm.Decimal"/>
    </Schema>
    <Schema Namespace="Acme.Stores.Service" Alias="S" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EntityContainer Name="Container">
        <EntitySet Name="Items" EntityType="T.Item">
          <Annotation Term="C.OptimisticConcurrency"><Collection/></Annotation>
          <Annotation Term="Cap.ChangeTracking"><Record><PropertyValue Property="Supported"><Bool>true</Bool></PropertyValue></Record></Annotation>
        </EntitySet>
        <EntitySet Name="Lines" EntityType="Acme.Types.Line">
          <Annotation Term="Cap.InsertRestrictions"><Record><PropertyValue Property="Insertable"><Bool>false</Bool></PropertyValue></Record></Annotation>
          <Annotation Term="Cap.CountRestrictions"><Record><PropertyValue Property="Countable" Bool="false"/></Record></Annotation>
          <Annotation Term="Cap.SortRestrictions"><Record><PropertyValue Property="Sortable" Bool="false"/></Record></Annotation>
        </EntitySet>
        <EntitySet Name="Journal" EntityType="T.Entry"/>
        <EntitySet Name="Inbox" EntityType="T.Entry"/>
        <EntitySet Name="Keyless" EntityType="T.Keyless"/>
        <EntitySet Name="Deep" EntityType="T.Deep"/>
        <EntitySet Name="Far" EntityType="T.Far"/>
        <EntitySet Name="Round" EntityType="T.Round"/>
        <EntitySet Name="no name" EntityType="T.Entry"/>
        <Singleton Name="Me" Type="T.Item"/>
        <FunctionImport Name="Best" Function="S.Best"/>
      </EntityContainer>
      <Annotations Target="T.Item/Serial"><Annotation Term="C.Immutable"/></Annotations>
      <Annotations Target="S.Container/Journal">
        <Annotation Term="Cap.UpdateRestrictions"><Record><PropertyValue Property="Updatable" Bool="false"/></Record></Annotation>
        <Annotation Term="Cap.DeleteRestrictions"><Record><PropertyValue Property="Deletable" Bool="false"/></Record></Annotation>
        <Annotation Term="Cap.FilterRestrictions"><Record><PropertyValue Property="NonFilterableProperties"><Collection>
          <PropertyPath>UpdatedAt</PropertyPath></Collection></PropertyValue></Record></Annotation>
        <Annotation Term="Cap.ReadRestrictions"><Record><PropertyValue Property="ReadByKeyRestrictions"><Record>
          <PropertyValue Property="Readable" Bool="false"/></Record></PropertyValue></Record></Annotation>
      </Annotations>
      <Annotations Target="Acme.Stores.Service.Container/Inbox">
        <Annotation Term="Cap.ReadRestrictions"><Record><PropertyValue Property="Readable" Bool="false"/></Record></Annotation>
      </Annotations>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>`;
