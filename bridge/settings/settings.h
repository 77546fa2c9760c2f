#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/ids.h"
#include "bridge/core/secret.h"
#include "bridge/record/breaker.h"
#include "bridge/record/rate_limit.h"
#include "bridge/record/settle.h"
#include "bridge/settings/config_node.h"
#include "bridge/verify/push_proof.h"

namespace orbridge {

struct HttpSettings {
    std::string listen = "0.0.0.0:8080";  ///< port 0: any free one, printed at start; or `unix:<file>`
    std::size_t body_bytes_max = 1 << 20;
    std::size_t header_bytes_max = 64 << 10;
    int threads_max = 128;                 ///< requests served at once
    int queued_max = 256;                  ///< connections waiting for a thread
    milliseconds request_timeout{10'000};  ///< to receive one request whole
    milliseconds keep_alive{5'000};
    int waiters_max = 2'000;                     ///< readers that wait for a change of a snapshot …
    milliseconds wait_max{60'000};               ///< … and how long
    milliseconds send_timeout{30'000};           ///< for the client to take one answer whole
    std::size_t connections_max = 10'000;        ///< open at once; more wait in the kernel's queue
    std::size_t buffered_bytes_max = 128 << 20;  ///< of all requests being received or served: above, 503
};

struct StoreSettings {
    std::string path = "/var/lib/orbridge/orbridge.db";  ///< from `store: sqlite:<path>`
    int batch_max = 128;                                 ///< writes in one commit
    milliseconds twin_window{120'000};
    milliseconds retention_finished{std::chrono::days{30}};
    milliseconds retention_dead{std::chrono::days{90}};
    milliseconds retention_audit{std::chrono::days{365}};
    std::int64_t audit_rows_max = 1'000'000;                  ///< the oldest above that many go, however young
    milliseconds retention_snapshots{std::chrono::days{30}};  ///< of a subject nobody changes or reads
    std::int64_t snapshots_max = 1'000'000;
    std::size_t old_state_bytes_max = 64 << 10;  ///< `old_object_bytes_max`: larger ones are not kept with an update
    std::size_t runs_bytes_max = 16 << 20;       ///< of the history of tasks' runs: the oldest go; 0: none is kept
    std::size_t run_params_bytes_max = 4 << 10;  ///< kept of one run's parameters
};

/// How fast replays go.
struct ReplaySettings {
    int per_second_start = 20;   ///< deliveries made again in the first second …
    int per_second_max = 2'000;  ///< … doubled up to this
    milliseconds doubles_every{5'000};
    int running_max = 10;  ///< at a time
    int jobs_max = 100;    ///< kept for who asks, those that have ended included
};

/// How much may wait. At the limit nothing new is accepted: a refused source may keep or show what a full
/// disk would take from everybody.
struct BacklogSettings {
    std::int64_t deliveries_max = 10'000'000;       ///< not yet ended, over all targets
    std::size_t bytes_max = std::size_t{64} << 30;  ///< in use in the store, history included
    std::size_t free_disk_min = 256 << 20;          ///< left on the store's disk
    double warn_at = 0.8;                           ///< share of a limit that is said aloud
};

/// What only sources of type push have.
struct PushSettings {
    PushProof proof{};    ///< `verify` and what belongs to it
    bool enabled = true;  ///< off: its requests are answered 410
};

/// Asking a source what happened, besides what it pushes.
struct PollSettings {
    milliseconds interval{30'000};
    milliseconds fallback_interval{std::chrono::minutes{5}};  ///< instead, while pushes arrive
    milliseconds push_timeout{std::chrono::hours{1}};         ///< without a push, after which they count as silent
    milliseconds backoff_max{std::chrono::minutes{15}};       ///< between tries of a source in trouble
    milliseconds refresh_min{5'000};                          ///< between polls that somebody asks for
    milliseconds stale_after{60'000};                         ///< what was polled longer ago is shown as stale
    std::string log = "auto";                                 ///< auto, realtime, audit, lists
    std::optional<milliseconds> compare_every{};              ///< `auto`: 6 h beside a log, 15 min without; 0: never
    bool tell_existing = false;                               ///< `existing: tell`: what is there at first are events
    bool backfill_existing = false;                           ///< `existing: backfill`: they are, little by little
    std::size_t page_rows = 500;                              ///< of a log, asked for at once
    std::size_t tail_rows = 200;                              ///< read again each time: rows commit late
    std::size_t page_objects = 200;                           ///< of a list, asked for at once
    std::size_t objects_max = 1'000'000;                      ///< of one list that can be compared
};

/// Who we are to a Nextcloud that runs us as an ExApp (nextcloud.md §5): what both sides show each other.
struct AppApiSettings {
    std::string id;
    std::string version;          ///< never empty: Nextcloud refuses an empty one
    std::string app_api_version;  ///< of Nextcloud's AppAPI
    Secret secret;
    std::string url;  ///< of the Nextcloud
};

/// `oauth2`: access by tokens that are asked for with stored credentials.
struct OAuth2Settings {
    std::string credentials;       ///< their name; their adapter is `oauth2`
    std::string owner = "global";  ///< whose they are, unless there are only those of all
    std::string token_url;
    std::string scope;
    bool in_header = true;         ///< `client_auth: basic`; else in the body
    milliseconds margin{300'000};  ///< renewed that long before their end
    milliseconds timeout{10'000};  ///< of asking for a token
};

/// What one source says of itself. Keys that do not fit the type are mistakes.
struct SourceSettings {
    SourceId id;
    std::string type;     ///< openregister, nextcloud, record, spidamin, push
    std::string mapping;  ///< a word from `sources:` of the mapping files that read what it sends: mostly the type
    std::string url;      ///< base of the Nextcloud; may be empty if nothing is registered and no names are wanted
    std::string user;     ///< with `password`: Basic
    Secret password;
    Secret bearer;                            ///< `token`: instead of user and password
    std::optional<OAuth2Settings> oauth2{};   ///< instead of both; only of type http
    std::optional<AppApiSettings> app_api{};  ///< `login: app_api`: as an ExApp; `user` then is who to act as
    std::vector<Secret> secrets;              ///< `secret`: of push intakes; the first is registered, all are accepted
    bool unverified = false;                  ///< `verify: none`: whoever reaches us is believed
    Secret hook_token;                        ///< bearer token OpenRegister uses towards /engine
    std::vector<std::string> paths;           ///< further paths that mean /ingest/<id>
    std::vector<std::string> intakes_wanted;  ///< `register`: auto | off | listeners, webhooks, hooks
    std::vector<std::string> classes;         ///< event classes to register for; empty: the type's own list
    std::vector<std::string> schemas;         ///< slugs or ids of schemas that get hooks; `*` = all
    std::optional<PollSettings> poll{};
    bool snapshots = false;  ///< what its subjects are is kept
    milliseconds reconcile_every{std::chrono::minutes{5}};
    milliseconds names_every{std::chrono::minutes{10}};
    milliseconds timeout{10'000};
    std::size_t answer_bytes_max = 8 << 20;
    RateLimit limit{};  ///< of what is pushed and believed; above: 429
    RateLimit rate{};   ///< of what it is asked, together with all sources that show it the same credentials
    PushSettings push{};
    std::optional<ConfigNode> node{};  ///< for complaints found later
};

/// Where adapter files are, and where requests may go whose address is not from the configuration.
struct AdapterSettings {
    std::vector<std::string> folders;             ///< absolute; those that come with the program first
    std::vector<std::string> allow;               ///< hosts and blocks besides public addresses
    std::size_t step_data_bytes_max = 256 << 10;  ///< of what the steps of one delivery bring, kept until it ends
};

struct TargetSettings {
    TargetId id;
    std::string adapter;
    int in_flight_max = 10;
    RetryPolicy retry = default_retry_policy();
    RateLimit rate{};                                        ///< `rate: 10/1s`
    std::optional<BreakerPolicy> breaker = BreakerPolicy{};  ///< nothing: `breaker: off`
    milliseconds connect_timeout{5'000};
    milliseconds timeout{20'000};
    std::size_t answer_bytes_max = 20'000;
    ConfigNode node;            ///< the adapter reads its own keys from here and then calls done()
    std::string fingerprint{};  ///< of everything in it, the adapter's keys and secrets included
};

/// Scripts that write back cause events again. What becomes of those.
struct LoopSettings {
    enum class Policy { Deliver, Mark, Cut };
    Policy policy = Policy::Deliver;  ///< for an event that our own scripts caused
    std::vector<std::string> users;   ///< whoever acts as one of these is a script of ours …
    std::string user = "user.uid";    ///<   the payload says here who acted
    std::string marker;               ///< … or the payload holds one of our ids here; empty: nowhere
    int limit = 20;                   ///< more deliveries of one subject to one target are cut; 0: never,
    milliseconds window{60'000};      ///<   if they come within this
};

struct RouteSettings {
    std::string name;        ///< as written, or `routes[2]`
    std::string source;      ///< empty: any
    std::string channel;     ///< equal; empty: any
    std::string event_name;  ///< RE2, whole name; empty: any
    struct Condition {       ///< all must hold; compared with the payload's value at path as text
        std::string path;
        std::vector<std::string> any_of;
    };
    std::vector<Condition> when;
    std::vector<TargetId> to;
    bool ordered = true;       ///< `order: subject | none`
    bool backfilled = true;    ///< also events that tell what was there before
    bool latest_only = false;  ///< `coalesce: latest`: a newer one of the subject ends those that still wait
    LoopSettings loop{};
    std::string interpolation;         ///< Windmill: neutralise, refuse, pass; empty: as the target says
    std::string task;                  ///< of the targets' adapter, instead of the one that the target names
    std::optional<ConfigNode> node{};  ///< its `params` and `steps` are read with the targets'
};

/// Leased subscribers. Without the section there are none, and the lease API answers 404.
struct SubscriptionSettings {
    struct Product {
        std::string name;
        bool retry = true;              ///< off: one attempt, whatever comes of it
        std::vector<Secret> secrets{};  ///< sign the callbacks of subscriptions without a secret of their own
    };
    struct Token {
        std::string name;
        std::vector<Secret> values{};  ///< all are accepted
    };
    std::vector<Product> products;
    std::vector<Token> tokens;
    std::vector<std::string> allow;  ///< hosts and blocks that callbacks may go to, besides public addresses
    milliseconds timeout{10'000};    ///< of one callback
    std::vector<milliseconds> retry_after;
    milliseconds lease_max{1'209'600'000};
    milliseconds grace{0};             ///< after its end a lease can be taken up again without losing events …
    std::int64_t active_max = 50'000;  ///< leases that run at once, over all products
    RateLimit catch_up_rate{1'000, milliseconds{1'000}};  ///< … that many at a time, for all together
    std::int64_t catch_up_events_max = 100'000;           ///< further back nobody can go
    std::int64_t catch_up_waiting_max = 1'000;            ///< callbacks that wait for one before it gets more
    bool backfilled = true;                               ///< also events that tell what was there before
    int in_flight_max = 4'096;
    std::optional<ConfigNode> node{};  ///< for complaints found later
};

/// Secrets that are kept, encrypted, in the store.
struct CredentialSettings {
    std::vector<Secret> keys;  ///< master keys, 32 bytes each: the first seals, all open; none: off
    std::size_t rows_max = 1'000;
};

/// Whether this bridge waits for a store that another one has, instead of giving up.
struct StandbySettings {
    bool enabled = false;
    milliseconds poll{500};  ///< how often it looks whether the store has become free
};

struct Settings {
    std::string file;
    HttpSettings http;
    std::string public_url;
    std::optional<AppApiSettings> exapp{};  ///< we are an ExApp of this Nextcloud
    StoreSettings store;
    ReplaySettings replay;
    BacklogSettings backlog;
    std::vector<std::string> mappings;  ///< files, absolute
    AdapterSettings adapters{};
    std::vector<SourceSettings> sources;
    std::vector<TargetSettings> targets;
    std::vector<RouteSettings> routes;
    SubscriptionSettings subscriptions;
    CredentialSettings credentials;
    Secret admin_token;  ///< empty: made at first start, kept in `<store folder>/admin.token`
    std::string log_level = "info";
    std::string ca_file;  ///< authorities to trust besides the system's, absolute; empty: none
    int in_flight_max = 512;
    int lookups_max = 32;  ///< of names, at once
    int threads_max = 16;  ///< for attempts that block
    milliseconds stop_timeout{10'000};
    StandbySettings standby{};
};

/// Mappings that come with the program and are used if none are named: `mappings/<name>` in the folder of the
/// configuration file, in its parent, or in /usr/share/orbridge; the first one found.
inline const std::vector<std::string> kShippedMappings = {
    "openregister.yaml", "nextcloud.yaml",         "github.yaml", "meta.yaml",
    "slack.yaml",        "standard-webhooks.yaml", "http.yaml"};

const char* to_text(LoopSettings::Policy policy);

/// What sources, targets and routes may be called.
bool is_name(std::string_view text);

/// Reads and checks everything that can be checked without I/O beyond the files named. All mistakes go to
/// `complaints`; the result is only to be used if there are none. Adapters' own keys are read by
/// adapters/registry.h, which app and `orbridge check` call next.
Settings read_settings(const ConfigNode& root, Complaints& complaints);

/// One line per difference, secrets only as "changed": for the log line of a reload.
std::vector<std::string> differences(const Settings& before, const Settings& after);

}  // namespace orbridge
