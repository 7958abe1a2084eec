"""Is the document one by the rules of OpenAPI 3.1?"""

import json
import os
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

with urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/api/openapi.json") as answer:
    assert answer.headers["content-type"] == "application/json", answer.headers["content-type"]
    document = json.load(answer)

errors = list(OpenAPIV31SpecValidator(document).iter_errors())
for error in errors:
    print(list(error.absolute_path), error.message)
operations = sum(len(item) for item in document["paths"].values())
print(f"{operations} operations, {len(document['components']['schemas'])} schemas, {len(errors)} errors")
raise SystemExit(1 if errors or operations < 100 else 0)
