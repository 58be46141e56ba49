using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Profile;
using ChannelBridge.Channels.MultiClaws.Sessions;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Channels.MultiClaws.Tools;

/// <summary>
/// <c>multiclaws.import</c>: takes over what the plugin MultiClaws has kept, one record at a time. What is there already stays as it is, so that a repetition does no harm.
/// For operators of this host, not for clients of a gateway.
/// </summary>
internal sealed class ImportCalls(SessionDesk sessions, AgentBook agents, OwnProfile profile, TeamBook teams, MultiClawsOptions options, TimeProvider time) : IMethodSource
{
    private const int MaxName = 64;

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("multiclaws.import", Scopes.Admin, "Takes over one record of the plugin MultiClaws: a session, an agent, a task, a team or the profile.",
            ImportJson.Default.ImportParams, ImportJson.Default.ImportResult, ImportAsync),
    ];

    private async ValueTask<ImportResult> ImportAsync(ImportParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (call.Caller.IsLimited) throw new BridgeException(ErrorCodes.Forbidden, "your access token is limited; import with one that isn't");
        try
        {
            var refused = parameters.Kind switch
            {
                "session" => await SessionAsync(Read(parameters.Item, ImportJson.Default.OldSession), cancellationToken).ConfigureAwait(false),
                "agent" => await AgentAsync(Read(parameters.Item, ImportJson.Default.OldAgent), cancellationToken).ConfigureAwait(false),
                "task" => await TaskAsync(Read(parameters.Item, ImportJson.Default.OldTask), cancellationToken).ConfigureAwait(false),
                "team" => await TeamAsync(Read(parameters.Item, ImportJson.Default.OldTeam), cancellationToken).ConfigureAwait(false),
                "profile" => await ProfileAsync(Read(parameters.Item, ImportJson.Default.OldProfile), cancellationToken).ConfigureAwait(false),
                _ => throw BridgeException.Invalid("kind is session, agent, task, team or profile"),
            };
            return new ImportResult(refused is null, refused);
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"the {parameters.Kind} has a member that is missing or of the wrong type", fault);
        }
    }

    private async ValueTask<string?> SessionAsync(OldSession old, CancellationToken cancellationToken)
    {
        var id = CheckId(old.SessionId, "sessionId");
        var url = AgentUrls.Normalise(old.AgentUrl) ?? throw BridgeException.Invalid("agentUrl is no address");
        var messages = (old.Messages ?? []).TakeLast(SessionMachine.MaxMessages).Select(static message => new SessionMessage
        {
            Role = message.Role == "user" ? "user" : "agent",
            Content = SessionMachine.Cut(message.Content ?? "", out _),
            TimestampMs = message.TimestampMs,
            TaskId = message.TaskId,
        }).ToList();
        // What was at work there is nobody's any more.
        var status = old.Status is SessionStatus.InputRequired or SessionStatus.Completed or SessionStatus.Failed or SessionStatus.Canceled ? old.Status : SessionStatus.Failed;
        var head = Head(id, url, Short(old.AgentName) ?? url, status, old.CreatedAtMs, old.UpdatedAtMs, messages) with
        {
            ContextId = old.ContextId is { Length: > 0 } context ? context : id,
            CurrentTaskId = old.CurrentTaskId,
            TaskWaits = status == SessionStatus.InputRequired && old.CurrentTaskId is { Length: > 0 },
            Error = old.Status == SessionStatus.Active ? "it was at work when it was taken over" : old.Error,
            Truncated = old.Messages?.Count > messages.Count,
        };
        return await sessions.ImportAsync(head, messages, cancellationToken).ConfigureAwait(false) ? null : "it is here already";
    }

    private async ValueTask<string?> TaskAsync(OldTask old, CancellationToken cancellationToken)
    {
        var id = CheckId(old.TaskId, "taskId");
        if (AgentUrls.Normalise(old.ToPeerId) is not { } url) return "it was another agent's, for this one";
        var messages = new List<SessionMessage> { new() { Role = "user", Content = SessionMachine.Cut(old.Task ?? "", out _), TimestampMs = old.CreatedAtMs } };
        if (old.Result is { Length: > 0 } result) messages.Add(new SessionMessage { Role = "agent", Content = SessionMachine.Cut(result, out _), TimestampMs = old.UpdatedAtMs });
        var isDone = old.Status == "completed";
        var head = Head(id, url, url, isDone ? SessionStatus.Completed : SessionStatus.Failed, old.CreatedAtMs, old.UpdatedAtMs, messages) with
        {
            Error = isDone ? null : old.Error ?? "it was at work when it was taken over",
        };
        return await sessions.ImportAsync(head, messages, cancellationToken).ConfigureAwait(false) ? null : "it is here already";
    }

    private async ValueTask<string?> AgentAsync(OldAgent old, CancellationToken cancellationToken)
    {
        var url = AgentUrls.Normalise(old.Url) ?? throw BridgeException.Invalid("url is no address");
        if (await agents.FindAsync(url, cancellationToken).ConfigureAwait(false) is not null) return "it is here already";
        IReadOnlyList<string> skills = [.. (old.Skills ?? []).Take(64).Select(static skill => Short(skill)!)];
        var card = new AgentCardFacts(Short(old.Name) is { Length: > 0 } name ? name : url, Short(old.Description) ?? "", skills);
        await agents.AddAsync(url, old.ApiKey is { Length: > 0 } key ? key : null, card, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<string?> ProfileAsync(OldProfile old, CancellationToken cancellationToken)
    {
        if (OwnProfile.IsComplete(await profile.GetAsync(cancellationToken).ConfigureAwait(false))) return "this host has one already";
        await profile.SetAsync(old.OwnerName is { Length: > 0 } name ? name : null, old.Bio is { Length: > 0 } bio ? bio : null, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<string?> TeamAsync(OldTeam old, CancellationToken cancellationToken)
    {
        var id = CheckId(old.TeamId, "teamId");
        await teams.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (teams.FindAny(id) is not null) return "it is here already";
        if (!options.AllowOpenTeams) return "teams of the plugin admit anybody; set Channels:MultiClaws:AllowOpenTeams to take it over, or join a new one by its invite";
        var self = AgentUrls.Normalise(old.SelfUrl) ?? throw BridgeException.Invalid("selfUrl is no address");
        var now = time.GetUtcNow();
        var withLoopback = MemberUrls.IsLoopback(self);
        var members = (old.Members ?? []).Select(member => new TeamMember
        {
            Url = MemberUrls.Normalise(member.Url ?? "") ?? "",
            Name = Short(member.Name) ?? "",
            Description = member.Description,
            JoinedAtMs = member.JoinedAtMs,
            ChangedAtMs = member.JoinedAtMs,
        }).Where(member => member.Url.Length > 0 && member.Fault(id, open: true, withLoopback, now) is null).ToList();
        var stored = new StoredTeam { TeamId = id, TeamName = Short(old.TeamName) ?? id, SelfUrl = self, CreatedAtMs = old.CreatedAtMs, Open = true };
        await teams.PutAsync(stored, null, members, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private static SessionHead Head(string id, string url, string name, string status, long created, long updated, List<SessionMessage> messages) => new()
    {
        SessionId = id,
        AgentUrl = url,
        AgentName = name,
        ContextId = id,
        Status = status,
        CreatedAtMs = created,
        UpdatedAtMs = updated,
        Next = 1 + messages.Count,
        Sizes = [.. messages.Select(static message => System.Text.Encoding.UTF8.GetByteCount(message.Content))],
        LastAgent = messages.FindLastIndex(static message => message.Role == "agent") + 1,
    };

    private static string CheckId(string? id, string name) =>
        id is { Length: > 0 and <= 100 } && !id.Contains('/', StringComparison.Ordinal) && !id.Any(char.IsControl) ? id : throw BridgeException.Invalid($"{name} is no id");

    private static string? Short(string? text) => text is null ? null : text.Length > MaxName ? text[..MaxName] : text;

    private static T Read<T>(JsonElement item, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        item.Deserialize(type) ?? throw BridgeException.Invalid("item must be an object");
}

/// <summary>Parameters of <c>multiclaws.import</c>.</summary>
internal sealed record ImportParams
{
    [Description("session, agent, task, team or profile.")]
    public required string Kind { get; init; }

    [Description("The record as the plugin has it.")]
    public required JsonElement Item { get; init; }
}

/// <summary>Result of <c>multiclaws.import</c>.</summary>
/// <param name="Taken">True: it was taken over.</param>
/// <param name="Reason">Why it wasn't.</param>
internal sealed record ImportResult(bool Taken, string? Reason);

/// <summary>A session of the plugin.</summary>
internal sealed record OldSession
{
    public string? SessionId { get; init; }

    public string? AgentUrl { get; init; }

    public string? AgentName { get; init; }

    public string? ContextId { get; init; }

    public string? CurrentTaskId { get; init; }

    public string? Status { get; init; }

    public IReadOnlyList<OldMessage>? Messages { get; init; }

    public long CreatedAtMs { get; init; }

    public long UpdatedAtMs { get; init; }

    public string? Error { get; init; }
}

/// <summary>A message of a session of the plugin.</summary>
/// <param name="Role">Who wrote it.</param>
/// <param name="Content">Its text.</param>
/// <param name="TimestampMs">When.</param>
/// <param name="TaskId">In which task.</param>
internal sealed record OldMessage(string? Role, string? Content, long TimestampMs, string? TaskId);

/// <summary>An agent of the plugin.</summary>
/// <param name="Url">Its address.</param>
/// <param name="ApiKey">Its key.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it says of itself.</param>
/// <param name="Skills">Its skills.</param>
internal sealed record OldAgent(string? Url, string? ApiKey, string? Name, string? Description, IReadOnlyList<string>? Skills);

/// <summary>A delegated task of the plugin.</summary>
internal sealed record OldTask
{
    public string? TaskId { get; init; }

    public string? ToPeerId { get; init; }

    public string? Task { get; init; }

    public string? Status { get; init; }

    public long CreatedAtMs { get; init; }

    public long UpdatedAtMs { get; init; }

    public string? Result { get; init; }

    public string? Error { get; init; }
}

/// <summary>A team of the plugin.</summary>
internal sealed record OldTeam
{
    public string? TeamId { get; init; }

    public string? TeamName { get; init; }

    public string? SelfUrl { get; init; }

    public IReadOnlyList<OldMember>? Members { get; init; }

    public long CreatedAtMs { get; init; }
}

/// <summary>A member of a team of the plugin.</summary>
/// <param name="Url">Its address.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it says of itself.</param>
/// <param name="JoinedAtMs">When it joined.</param>
internal sealed record OldMember(string? Url, string? Name, string? Description, long JoinedAtMs);

/// <summary>The profile of the plugin.</summary>
/// <param name="OwnerName">The name.</param>
/// <param name="Bio">The bio.</param>
internal sealed record OldProfile(string? OwnerName, string? Bio);

/// <summary>Serialization of the import.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ImportParams))]
[JsonSerializable(typeof(ImportResult))]
[JsonSerializable(typeof(OldSession))]
[JsonSerializable(typeof(OldAgent))]
[JsonSerializable(typeof(OldTask))]
[JsonSerializable(typeof(OldTeam))]
[JsonSerializable(typeof(OldProfile))]
internal sealed partial class ImportJson : JsonSerializerContext;
