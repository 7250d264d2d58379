// Classifies the texts of argv with the official client and prints what it returns, one line of JSON a text.
//   node classify.mjs ENDPOINT_URL TEXT...
import { InferenceClient } from "@huggingface/inference";

const [endpointUrl, ...texts] = process.argv.slice(2);
const client = new InferenceClient("a-cached-token");
for (const inputs of texts) {
  console.log(JSON.stringify(await client.textClassification({ endpointUrl, inputs })));
}
