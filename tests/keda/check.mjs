// Each file is a ScaledObject in JSON; the first that KEDA would refuse ends it.
import { readFileSync } from "node:fs";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";

for (const path of process.argv.slice(2)) {
  const object = JSON.parse(readFileSync(path, "utf8"));
  try {
    new ScaledObject(object).validate();
  } catch (error) {
    console.error(`${path}: ${error.message}`);
    process.exit(1);
  }
}
