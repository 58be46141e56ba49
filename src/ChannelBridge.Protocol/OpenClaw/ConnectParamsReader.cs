using System.Collections.Frozen;
using System.Text.Json;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>
/// Reads and checks the params of <c>connect</c> as the gateway does, unknown members included, and says what is wrong in the gateway's words.
/// One per connection, so it may build a DOM.
/// </summary>
public static class ConnectParamsReader
{
    private static readonly string[] RootMembers =
    [
        "minProtocol", "maxProtocol", "client", "caps", "commands", "computerUse", "workerRuns", "permissions", "pathEnv", "role", "scopes",
        "modelCatalog", "device", "auth", "locale", "userAgent",
    ];

    private static readonly string[] ClientMembers =
    [
        "id", "displayName", "version", "buildId", "platform", "deviceFamily", "modelIdentifier", "timeZone", "mode", "instanceId",
    ];

    private static readonly string[] DeviceMembers = ["id", "publicKey", "signature", "signedAt", "nonce"];

    private static readonly string[] AuthMembers =
    [
        "token", "bootstrapToken", "deviceToken", "password", "approvalRuntimeToken", "agentRuntimeIdentityToken",
    ];

    /// <summary>Reads the params.</summary>
    /// <param name="bytes">One JSON value, already checked to be well-formed.</param>
    /// <param name="parameters">The params.</param>
    /// <param name="error">What is wrong, parts joined by <c>; </c>.</param>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out ConnectParams? parameters, out string? error)
    {
        parameters = null;
        error = null;
        if (bytes.IsEmpty)
        {
            error = "must be object";
            return false;
        }

        using var document = JsonDocument.Parse(bytes);
        var faults = new List<string>();
        var root = new Node(document.RootElement, "", faults);
        if (root.IsObject(RootMembers, "minProtocol", "maxProtocol", "client"))
        {
            var minimum = root.Integer("minProtocol", 1);
            var maximum = root.Integer("maxProtocol", 1);
            var client = root.Child("client") is { } node ? ReadClient(node) : null;
            var device = root.Child("device") is { } identity ? ReadDevice(identity) : null;
            var auth = root.Child("auth") is { } credentials ? ReadAuth(credentials) : null;
            if (root.Child("workerRuns") is { } runs) runs.IsObject(null);
            if (root.Child("modelCatalog") is { } catalog) catalog.IsObject(["agentId", "sessionKey", "shortId", "slugHint"]);
            var caps = root.Strings("caps");
            var commands = root.Strings("commands");
            var permissions = root.Booleans("permissions");
            var path = root.Text("pathEnv", mayBeEmpty: true);
            var role = root.Text("role");
            var scopes = root.Strings("scopes");
            var locale = root.Text("locale", mayBeEmpty: true);
            var userAgent = root.Text("userAgent", mayBeEmpty: true);
            if (faults.Count == 0)
            {
                parameters = new ConnectParams
                {
                    MinProtocol = (int)Math.Min(minimum, int.MaxValue),
                    MaxProtocol = (int)Math.Min(maximum, int.MaxValue),
                    Client = client!,
                    Caps = caps,
                    Commands = commands,
                    Permissions = permissions,
                    PathEnv = path,
                    Role = role,
                    Scopes = scopes,
                    Device = device,
                    Auth = auth,
                    Locale = locale,
                    UserAgent = userAgent,
                };
                return true;
            }
        }

        error = string.Join("; ", faults.Distinct());
        return false;
    }

    private static ConnectClient? ReadClient(Node node)
    {
        if (!node.IsObject(ClientMembers, "id", "version", "platform", "mode")) return null;
        return new ConnectClient
        {
            Id = node.Choice("id", OpenClawNames.ClientIds),
            DisplayName = node.Text("displayName"),
            Version = node.Text("version") ?? "",
            BuildId = node.Text("buildId", maxLength: 96),
            Platform = node.Text("platform") ?? "",
            DeviceFamily = node.Text("deviceFamily"),
            ModelIdentifier = node.Text("modelIdentifier"),
            TimeZone = node.Text("timeZone", maxLength: 64),
            Mode = node.Choice("mode", OpenClawNames.ClientModes),
            InstanceId = node.Text("instanceId"),
        };
    }

    private static ConnectDevice? ReadDevice(Node node)
    {
        if (!node.IsObject(DeviceMembers, DeviceMembers)) return null;
        return new ConnectDevice(
            node.Text("id") ?? "", node.Text("publicKey") ?? "", node.Text("signature") ?? "", node.Integer("signedAt", 0), node.Text("nonce") ?? "");
    }

    private static ConnectAuth? ReadAuth(Node node)
    {
        if (!node.IsObject(AuthMembers)) return null;
        node.Text("approvalRuntimeToken", mayBeEmpty: true);
        node.Text("agentRuntimeIdentityToken", mayBeEmpty: true);
        return new ConnectAuth
        {
            Token = node.Text("token", mayBeEmpty: true),
            Password = node.Text("password", mayBeEmpty: true),
            DeviceToken = node.Text("deviceToken", mayBeEmpty: true),
            BootstrapToken = node.Text("bootstrapToken", mayBeEmpty: true),
        };
    }

    /// <summary>A value with its place, for the wording of what is wrong.</summary>
    private readonly struct Node(JsonElement element, string path, List<string> faults)
    {
        public Node? Child(string name) =>
            element.TryGetProperty(name, out var child) ? new Node(child, $"{path}/{name}", faults) : null;

        public bool IsObject(string[]? members, params string[] required)
        {
            if (element.ValueKind != JsonValueKind.Object)
            {
                Fault("must be object");
                return false;
            }

            var whole = element;
            if (Array.Find(required, name => !whole.TryGetProperty(name, out _)) is { } missing) Fault($"must have required property '{missing}'");
            if (members is not null)
            {
                foreach (var member in element.EnumerateObject())
                {
                    if (Array.IndexOf(members, member.Name) >= 0) continue;
                    var name = SoundText.Cut(member.Name, 64, "…");
                    faults.Add($"at {(path.Length == 0 ? "root" : path)}: unexpected property '{name}'");
                    break;
                }
            }

            return true;
        }

        public string? Text(string name, bool mayBeEmpty = false, int maxLength = int.MaxValue)
        {
            if (Child(name) is not { } child) return null;
            return child.AsText(mayBeEmpty, maxLength);
        }

        public string Choice(string name, FrozenSet<string> allowed)
        {
            if (Child(name) is not { } child) return "";
            if (child.RawText is { } text && allowed.Contains(text)) return text;
            child.Fault("must be equal to one of the allowed values");
            return "";
        }

        public long Integer(string name, long minimum)
        {
            if (Child(name) is not { } child) return 0;
            if (child.RawInteger is not { } value)
            {
                child.Fault("must be integer");
                return 0;
            }

            if (value < minimum) child.Fault($"must be >= {minimum}");
            return value;
        }

        public List<string>? Strings(string name)
        {
            if (Child(name) is not { } child) return null;
            if (child.Kind != JsonValueKind.Array)
            {
                child.Fault("must be array");
                return null;
            }

            return child.Items();
        }

        public Dictionary<string, bool>? Booleans(string name)
        {
            if (Child(name) is not { } child) return null;
            if (child.Kind != JsonValueKind.Object)
            {
                child.Fault("must be object");
                return null;
            }

            return child.Flags();
        }

        private JsonValueKind Kind => element.ValueKind;

        private string? RawText => element.ValueKind == JsonValueKind.String && TryText(out var text) ? text : null;

        // A whole number may be written 4.0 or 4e0, as in JavaScript.
        private long? RawInteger => WholeNumbers.TryGet(element, out var value) ? value : null;

        private List<string> Items()
        {
            var items = new List<string>(element.GetArrayLength());
            var index = 0;
            foreach (var item in element.EnumerateArray())
            {
                items.Add(new Node(item, $"{path}/{index}", faults).AsText(mayBeEmpty: false, int.MaxValue) ?? "");
                index++;
            }

            return items;
        }

        private Dictionary<string, bool> Flags()
        {
            var flags = new Dictionary<string, bool>();
            foreach (var member in element.EnumerateObject())
            {
                if (member.Value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                    new Node(member.Value, $"{path}/{member.Name}", faults).Fault("must be boolean");
                flags[member.Name] = member.Value.ValueKind == JsonValueKind.True;
            }

            return flags;
        }

        private string? AsText(bool mayBeEmpty, int maxLength)
        {
            if (RawText is not { } text)
            {
                Fault("must be string");
                return null;
            }

            if (text.Length == 0 && !mayBeEmpty) Fault("must not have fewer than 1 characters");
            if (text.Length > maxLength) Fault($"must not have more than {maxLength} characters");
            return text;
        }

        private bool TryText(out string? text)
        {
            try
            {
                text = element.GetString();
                return true;
            }
            catch (InvalidOperationException)
            {
                // Half of a surrogate pair.
                text = null;
                return false;
            }
        }

        private void Fault(string message) => faults.Add(path.Length == 0 ? message : $"at {path}: {message}");
    }
}
