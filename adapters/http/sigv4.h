#pragma once

#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/secret.h"

namespace orbridge::http_tasks {

struct AwsKeys {
    std::string access_key;
    Secret secret_key;
    std::string region, service;
};

/// Adds what AWS Signature Version 4 asks for (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization
/// Header"): `x-amz-date`, `x-amz-content-sha256` and `Authorization`, over all headers there are and `host`. The path
/// is taken as it is encoded, as S3 wants it. Whoever changes the request afterwards breaks the signature.
void sign_aws(HttpRequest& request, const AwsKeys& keys, TimePoint now);

}  // namespace orbridge::http_tasks
