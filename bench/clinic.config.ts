import { defineConfig } from 'tidegate';
import { clinic } from 'tidegate/connectors/clinic';
import { supplies } from 'tidegate/connectors/supplies';

const { BENCH_SOURCE_URL: baseUrl = '', BENCH_WSDL_URL: wsdl = '', BENCH_SOAP_URL: endpoint = '' } = process.env;

/** The gateway in front of the demo's systems, as the demo has it: visits are polled every 2 s. */
export default defineConfig({ connectors: [clinic({ baseUrl }), supplies({ wsdl, endpoint })] });
