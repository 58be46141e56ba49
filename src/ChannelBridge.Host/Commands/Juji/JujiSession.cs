using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji;
using ChannelBridge.Channels.Juji.Connector;
using ChannelBridge.Core.Net;

namespace ChannelBridge.Host.Commands.Juji;

/// <summary>One run of a command as the community's script does it: registers, connects, calls, prints.</summary>
internal sealed class JujiSession : IDisposable
{
    private readonly HttpClient _http = CommunityApi.NewClient();
    private readonly Lock _printing = new();
    private readonly bool _lines;

    public JujiSession(bool lines)
    {
        _lines = lines;
        Api = new CommunityApi(_http, () => CommunityAddress.Parse(Variables.Get(SkillVariables.BaseUrl) ?? JujiOptions.PublicCommunity), TimeProvider.System);
    }

    public static JujiOptions Options { get; } = new();

    /// <summary>The skill's variables.</summary>
    public SkillVariables Variables { get; } = SkillVariables.OfSkill();

    /// <summary>The community over HTTP.</summary>
    public CommunityApi Api { get; }

    /// <summary>Prints a document.</summary>
    public void Print(JsonElement document)
    {
        lock (_printing)
        {
            Console.Out.Write((_lines ? PythonText.Lines(document) : PythonText.Json(document)) + "\n");
            Console.Out.Flush();
        }
    }

    /// <summary>Registers, and writes the token for whoever comes next.</summary>
    public async Task<Registration> RegisterAsync(CancellationToken cancellationToken)
    {
        using var key = AgentKeys.Load(Variables);
        var made = await Api.RegisterAsync(
            Convert.ToHexStringLower(key.PublicKey.Span),
            Variables.Get(SkillVariables.WalletAddress),
            Variables.Get(SkillVariables.AgentName),
            Options.RequestTimeout,
            cancellationToken).ConfigureAwait(false);
        Variables.Save(new Dictionary<string, string>
        {
            [SkillVariables.AgentId] = made.AgentId.ToString(CultureInfo.InvariantCulture),
            [SkillVariables.Token] = made.Token,
        });
        return made;
    }

    /// <summary>Connects. The signature is made for this attempt.</summary>
    public async Task<JujiConnection> ConnectAsync(long agentId, CallTable calls, Action<JsonElement>? push, TimeSpan heartbeat, CancellationToken cancellationToken)
    {
        var token = Variables.Get(SkillVariables.Token) ?? throw BridgeException.Invalid($"{SkillVariables.Token} is missing: register first, e.g. by init");
        using var key = AgentKeys.Load(Variables);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var url = Api.Address.Socket(agentId, token, now, AgentKeys.Sign(key, agentId, now));
        var connection = new JujiConnection(agentId, calls, push, heartbeat);
        await connection.OpenAsync(new WebSocketDialer(), url, cancellationToken).ConfigureAwait(false);
        return connection;
    }

    /// <summary>Registers, connects once, does something, and leaves.</summary>
    public async Task<JsonElement> WithSocketAsync(Func<JujiConnection, Registration, Task<JsonElement>> action, CancellationToken cancellationToken)
    {
        var agent = await RegisterAsync(cancellationToken).ConfigureAwait(false);
        var calls = new CallTable(Options, TimeProvider.System);
        var connection = await ConnectAsync(agent.AgentId, calls, null, TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false)) return await action(connection, agent).ConfigureAwait(false);
    }

    /// <summary>Calls an action on a connection of its own.</summary>
    public Task<JsonElement> CallAsync(string action, JsonObject parameters, CancellationToken cancellationToken) => CallAsync(action, Element(parameters), cancellationToken);

    /// <summary>Calls an action on a connection of its own.</summary>
    public Task<JsonElement> CallAsync(string action, JsonElement parameters, CancellationToken cancellationToken) =>
        WithSocketAsync((connection, _) => connection.CallAsync(action, parameters, cancellationToken), cancellationToken);

    /// <summary>Posts a body; the connection is there meanwhile, as it is with the script.</summary>
    public Task<JsonElement> PostAsync(string path, Func<long, JsonObject> body, CancellationToken cancellationToken) => WithSocketAsync(
        async (_, agent) => (await Api.SendAsync(
            HttpMethod.Post, Api.Address.Below(path), Encoding.UTF8.GetBytes(body(agent.AgentId).ToJsonString()), Options.RequestTimeout,
                cancellationToken).ConfigureAwait(false)).Json(),
        cancellationToken);

    /// <summary>Posts without a body.</summary>
    public Task<JsonElement> PostQueryAsync(string path, Func<long, IEnumerable<KeyValuePair<string, string>>> query, CancellationToken cancellationToken) => WithSocketAsync(
        async (_, agent) => (await Api.SendAsync(
            HttpMethod.Post, Api.Address.Below(path, query(agent.AgentId)), default, Options.RequestTimeout, cancellationToken).ConfigureAwait(false)).Json(),
        cancellationToken);

    /// <summary>A document of values.</summary>
    public static JsonElement Element(JsonNode? node) => JsonElement.Parse(node?.ToJsonString() ?? "null");

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
