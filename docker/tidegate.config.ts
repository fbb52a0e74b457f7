import { defineConfig } from 'tidegate';
import { clinic } from 'tidegate/connectors/clinic';
import { supplies } from 'tidegate/connectors/supplies';

/** The clinic's two systems, at the addresses that docker-compose.yml gives. */
export default defineConfig({
  connectors: [
    clinic({ baseUrl: process.env['CLINIC_URL'] ?? 'http://127.0.0.1:5001' }),
    supplies({
      wsdl: `${process.env['SUPPLIES_URL'] ?? 'http://127.0.0.1:5002'}/supplies?wsdl`,
      endpoint: `${process.env['SUPPLIES_URL'] ?? 'http://127.0.0.1:5002'}/supplies`,
    }),
  ],
});
