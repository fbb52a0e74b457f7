/** Small descriptions of systems that nobody has, each with what real ones surprised with. */

/** OpenAPI 3.0 in YAML: paging by offset, a filter for changes, ETags, a list below a record, ids or whole records, a circle of types. */
export const DEPOT_OPENAPI = `openapi: 3.0.3
info: { title: Depot Orders, version: '2.4' }
servers: [{ url: 'https://depot.example.com/api' }]
components:
  securitySchemes: { token: { type: http, scheme: bearer } }
  parameters:
    limit: { name: limit, in: query, schema: { type: integer, maximum: 200 } }
  headers:
    ETag: { schema: { type: string } }
  schemas:
    Base:
      type: object
      required: [id]
      properties:
        id: { type: string, maxLength: 40 }
        updatedAt: { type: string, format: date-time, readOnly: true }
    Order:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [customer]
          properties:
            customer: { type: string, maxLength: 200 }
            state: { type: string, enum: [open, sent, 'in transit'] }
            urgency: { type: string, enum: [low, high] }
            due: { type: string, format: date, nullable: true }
            weight: { type: number }
            barcode: { type: integer, format: int64 }
            deleted: { type: boolean }
            lines: { type: array, items: { $ref: '#/components/schemas/Line' } }
            delete: { type: string }
            'unit-price': { type: string, description: "ends here */ and goes on" }
    Line:
      type: object
      properties:
        sku: { type: string }
        order: { $ref: '#/components/schemas/Order' }
paths:
  /orders:
    get:
      operationId: list-orders
      summary: Orders, a page at a time
      parameters:
        - { name: offset, in: query, schema: { type: integer } }
        - $ref: '#/components/parameters/limit'
        - { name: modified_since, in: query, schema: { type: string, format: date-time } }
      responses:
        '200':
          description: a page
          content:
            application/json:
              schema:
                type: object
                properties:
                  total: { type: integer }
                  has_more: { type: boolean }
                  items: { type: array, items: { $ref: '#/components/schemas/Order' } }
    post:
      operationId: create order
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } }
      responses: { '201': { description: made, content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } } }
  /orders/{orderId}:
    parameters: [{ name: orderId, in: path, required: true, schema: { type: string } }]
    get:
      operationId: getOrder
      responses:
        '200':
          description: one
          headers: { ETag: { $ref: '#/components/headers/ETag' } }
          content: { application/json: { schema: { type: object, properties: { order: { $ref: '#/components/schemas/Order' } } } } }
    patch:
      operationId: updateOrder
      parameters: [{ name: If-Match, in: header, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } }
      responses: { '204': { description: done } }
    delete: { operationId: delete, responses: { '204': { description: gone } } }
  /orders/{orderId}/lines:
    get:
      operationId: listLines
      parameters: [{ name: orderId, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: all, content: { application/json: { schema: { type: array, items: { $ref: '#/components/schemas/Line' } } } } } }
  /sites/{site-code}/bays:
    get:
      parameters:
        - { name: site-code, in: path, required: true, schema: { type: string } }
        - { name: page, in: query, schema: { type: integer } }
        - { name: kind, in: query, required: true, schema: { type: string, enum: [cold, dry] } }
      responses:
        '200':
          description: bays
          content:
            application/json:
              schema: { type: array, items: { type: object, required: [bayId], properties: { bayId: { type: integer }, name: { type: string } } } }
  /drivers:
    get:
      operationId: listDrivers
      parameters: [{ name: cursor, in: query, schema: { type: string } }]
      responses:
        '200':
          description: drivers
          content:
            application/json:
              schema:
                type: object
                properties:
                  data:
                    type: array
                    items: { anyOf: [{ type: string }, { type: object, properties: { id: { type: string }, name: { type: string } } }] }
                  meta: { type: object, properties: { nextCursor: { type: string } } }
  /files:
    get: { responses: { '200': { description: a file, content: { application/pdf: {} } } } }
`;

/** OpenAPI 3.1: types as lists, const, no operation ids. */
export const PATROL_OPENAPI = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'Patrol', version: '1' },
  paths: {
    '/rounds': {
      get: {
        parameters: [{ name: 'starting_after', in: 'query', schema: { type: ['string', 'null'] } }],
        responses: {
          200: {
            content: {
              'application/vnd.patrol+json; charset=utf-8': {
                schema: { type: 'array', items: { $ref: '#/components/schemas/Round' } },
              },
            },
          },
        },
      },
    },
    '/rounds/{id}': { put: { requestBody: { content: {} }, responses: { default: { description: 'whatever' } } } },
  },
  components: {
    schemas: {
      Round: {
        type: 'object',
        properties: {
          id: { type: 'string', format: 'uuid' },
          kind: { const: 'round' },
          note: { type: ['string', 'null'], maxLength: 20 },
          count: { type: 'integer', maximum: 9_000_000_000 },
          next: { $ref: '#/components/schemas/Round' },
          detail: { oneOf: [{ $ref: '#/components/schemas/Walk' }, { $ref: '#/components/schemas/Ride' }] },
          size: { anyOf: [{ type: 'integer' }, { type: 'number' }, { type: 'null' }] },
          tags: { type: 'array', items: { type: 'string' } },
          extra: { type: 'object', additionalProperties: { type: 'string' } },
        },
      },
      Walk: { type: 'object', properties: { steps: { type: 'integer' } } },
      Ride: { type: 'object', properties: { steps: { type: 'string' }, vehicle: { type: 'string' } } },
    },
  },
});

/** Swagger 2, whose version YAML takes for a number: types beside names, a body, form data, a basePath. */
export const METERS_SWAGGER = `swagger: 2.0
info: { title: Meters, version: '7' }
host: meters.example.com
basePath: /v1
schemes: [http]
securityDefinitions: { key: { type: apiKey, in: header, name: X-Key } }
paths:
  /meters/:
    get:
      operationId: meters
      parameters:
        - { name: page, in: query, type: integer }
        - { name: per_page, in: query, type: integer, maximum: 50 }
      responses: { 200: { description: ok, schema: { type: array, items: { $ref: '#/definitions/Meter' } } } }
    post:
      operationId: addMeter
      parameters: [{ name: meter, in: body, schema: { $ref: '#/definitions/Meter' } }]
      responses: { 201: { description: ok, schema: { type: object, properties: { number: { type: string } } } } }
  /meters/{number}/:
    get: { operationId: meter, responses: { 200: { description: ok, schema: { $ref: '#/definitions/Meter' } } } }
    put:
      operationId: changeMeter
      parameters: [{ name: meter, in: body, schema: { $ref: '#/definitions/Meter' } }]
      responses: { 200: { description: ok, schema: { $ref: '#/definitions/Meter' } } }
definitions:
  Meter:
    type: object
    required: [number]
    properties: { number: { type: string }, reading: { type: number, format: double }, version: { type: integer } }
`;

/** WSDL 1.1: style rpc and encoded, arrays of SOAP's own encoding, both SOAP versions, headers, nothing typed. */
export const LEDGER_WSDL = `<?xml version="1.0" encoding="ISO-8859-1"?>
<definitions name="Ledger" targetNamespace="urn:ledger" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:ledger"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/">
  <types>
    <xsd:schema targetNamespace="urn:ledger">
      <xsd:complexType name="Entry">
        <xsd:all>
          <xsd:element name="entryNumber" type="xsd:int"/>
          <xsd:element name="amount" type="xsd:decimal"/>
          <xsd:element name="bookedOn" type="xsd:date" nillable="true"/>
          <xsd:element name="free" type="xsd:anyType" minOccurs="0"/>
          <xsd:element name="parent" type="tns:Entry" minOccurs="0"/>
        </xsd:all>
      </xsd:complexType>
      <xsd:complexType name="Entries">
        <xsd:complexContent>
          <xsd:restriction base="enc:Array"><xsd:attribute ref="enc:arrayType" wsdl:arrayType="tns:Entry[]"/></xsd:restriction>
        </xsd:complexContent>
      </xsd:complexType>
    </xsd:schema>
  </types>
  <message name="list"><part name="session" type="xsd:string"/><part name="start" type="xsd:int"/><part name="count" type="xsd:int"/></message>
  <message name="listed"><part name="entries" type="tns:Entries"/></message>
  <message name="get"><part name="session" type="xsd:string"/><part name="entryNumber" type="xsd:int"/></message>
  <message name="got"><part name="entry" type="tns:Entry"/></message>
  <portType name="LedgerPort">
    <operation name="entryList"><documentation>All &lt;entries&gt; */</documentation><input message="tns:list"/><output message="tns:listed"/></operation>
    <operation name="entryGet"><input message="tns:get"/><output message="tns:got"/></operation>
  </portType>
  <binding name="Ledger12" type="tns:LedgerPort">
    <soap12:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="entryList"><soap12:operation soapAction="list"/><input><soap12:body use="literal" namespace="urn:other"/></input><output><soap12:body use="literal"/></output></operation>
  </binding>
  <binding name="Ledger11" type="tns:LedgerPort">
    <soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="entryList"><soap:operation soapAction="list"/><input><soap:body use="encoded" namespace="urn:ledger"/></input><output><soap:body use="encoded" namespace="urn:ledger"/></output></operation>
    <operation name="entryGet"><soap:operation soapAction="get"/><input><soap:body use="encoded" namespace="urn:ledger"/></input><output><soap:body use="encoded" namespace="urn:ledger"/></output></operation>
  </binding>
  <service name="LedgerService">
    <port name="A" binding="tns:Ledger12"><soap12:address location="http://ledger.example.com/12"/></port>
    <port name="B" binding="tns:Ledger11"><soap:address location="http://ledger.example.com/11"/></port>
  </service>
</definitions>
`;
