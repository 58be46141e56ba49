using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.InstaClaw.Methods;
using ChannelBridge.Channels.InstaClaw.Wire;

namespace ChannelBridge.Channels.InstaClaw.Tools;

/// <summary>The seven tools: each is the gateway method <c>instaclaw.tools.NAME</c> for operators, and a tool for the agent.</summary>
internal sealed class ToolSet : IToolSource
{
    public const string MethodPrefix = "instaclaw.tools.";
    private const int MaxContent = 200_000;
    private readonly AccountBook _accounts;
    private readonly InstaClawOptions _options;
    private readonly List<AgentTool> _tools = [];
    private readonly List<RpcMethod> _methods = [];

    public ToolSet(AccountBook accounts, InstaClawOptions options)
    {
        _accounts = accounts;
        _options = options;
        var json = InstaClawJson.Relaxed;
        Add(ToolNames.GetPluginProfile, Scopes.Read, "Tells this assistant's identity on the InstaClaw platform and whether it is registered and connected.",
            json.AccountParams, json.RegistrationResult, GetProfileAsync);
        Add(ToolNames.ProposeRegistration, Scopes.Write, "Proposes this assistant's public identity on the InstaClaw platform; its owner confirms or cancels it.",
            json.SubmitParams, json.RegistrationResult, ProposeAsync);
        Add(ToolNames.RegisterIdentity, Scopes.Write, "Registers this assistant on the InstaClaw platform. Called by an agent it only proposes: the owner confirms.",
            json.SubmitParams, json.RegistrationResult, RegisterAsync);
        Add(ToolNames.ListTasks, Scopes.Read, "Lists tasks of the InstaClaw task pool.", json.ListTasksParams, json.PlatformResult, ListTasksAsync);
        Add(ToolNames.GrabTask, Scopes.Write, "Takes a task of the InstaClaw task pool.", json.GrabTaskParams, json.PlatformResult, GrabTaskAsync);
        Add(ToolNames.SubmitDeliverable, Scopes.Write, "Hands in the result of a task of the InstaClaw task pool.",
            json.SubmitDeliverableParams, json.PlatformResult, SubmitAsync);
        Add(ToolNames.UploadArtifact, Scopes.Write, "Uploads a file from an allowed folder and binds it to a task of the InstaClaw task pool.",
            json.UploadArtifactParams, json.UploadResult, UploadAsync);
    }

    public IEnumerable<AgentTool> Tools => _tools;

    /// <summary>The same as gateway methods.</summary>
    public IEnumerable<RpcMethod> Methods => _methods;

    /// <summary>Who calls a tool, and for which account.</summary>
    private readonly record struct Asker(Caller Caller, bool IsAgent, string? SessionKey);

    private void Add<TParameters, TResult>(
        string name,
        Scopes scope,
        string summary,
        JsonTypeInfo<TParameters> parameters,
        JsonTypeInfo<TResult> result,
        Func<TParameters, Asker, CancellationToken, Task<TResult>> run)
        where TParameters : class
    {
        _methods.Add(RpcMethod.Create(
            MethodPrefix + name, scope, summary, parameters, result,
            async (arguments, call, cancellationToken) => await run(arguments, new Asker(call.Caller, IsAgent: false, null), cancellationToken).ConfigureAwait(false)));
        _tools.Add(new AgentTool(name, summary, parameters, (arguments, tool, output, cancellationToken) =>
        {
            var asker = new Asker(tool.Call.Caller, IsAgent: true, tool.SessionKey);
            return RpcMethod.Create(
                name, scope, summary, parameters, result,
                async (typed, _, token) => await run(typed, asker, token).ConfigureAwait(false)).InvokeAsync(arguments, tool.Call, output, cancellationToken);
        }));
    }

    private async Task<RegistrationResult> GetProfileAsync(AccountParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        await account.Registrar.LoadAsync(cancellationToken).ConfigureAwait(false);
        return RegistrationMethods.Describe(account);
    }

    private async Task<RegistrationResult> ProposeAsync(SubmitParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        await account.Registrar.ProposeAsync(parameters.Fields, cancellationToken).ConfigureAwait(false);
        return RegistrationMethods.Describe(account);
    }

    private async Task<RegistrationResult> RegisterAsync(SubmitParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        // A model must not give itself a public identity: its owner has the last word.
        if (asker.IsAgent) return await ProposeAsync(parameters, asker, cancellationToken).ConfigureAwait(false);
        var account = Look(parameters.AccountId, asker);
        await account.Registrar.SubmitAsync(parameters.Fields, parameters.ProposalId, parameters.SessionToken, cancellationToken).ConfigureAwait(false);
        return RegistrationMethods.Describe(account);
    }

    private async Task<PlatformResult> ListTasksAsync(ListTasksParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        if (parameters.Page is < 1 or > 100_000) throw BridgeException.Invalid("page must be 1 to 100000");
        if (parameters.PageSize is < 1 or > 100) throw BridgeException.Invalid("pageSize must be 1 to 100");
        var query = new List<string>();
        Query(query, "status", parameters.Status);
        Query(query, "keyword", parameters.Keyword);
        Query(query, "page", parameters.Page?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Query(query, "page_size", parameters.PageSize?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        var answer = await account.Platform.GetTasksAsync(
            Registered(account), query.Count == 0 ? "" : "?" + string.Join('&', query), cancellationToken).ConfigureAwait(false);
        return new PlatformResult(account.Id, answer);
    }

    private async Task<PlatformResult> GrabTaskAsync(GrabTaskParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        return new PlatformResult(
            account.Id, await account.Platform.GrabAsync(Registered(account), TaskId(parameters.TaskId), cancellationToken).ConfigureAwait(false));
    }

    private async Task<PlatformResult> SubmitAsync(SubmitDeliverableParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        if (string.IsNullOrWhiteSpace(parameters.Content) || parameters.Content.Length > MaxContent)
        {
            throw BridgeException.Invalid($"content is required, at most {MaxContent} characters");
        }

        var body = JsonSerializer.Serialize(
            new Deliverable { Content = parameters.Content, ArtifactIds = parameters.ArtifactIds, Links = parameters.Links }, InstaClawJson.Relaxed.Deliverable);
        return new PlatformResult(
            account.Id, await account.Platform.DeliverAsync(Registered(account), TaskId(parameters.TaskId), body, cancellationToken).ConfigureAwait(false));
    }

    private async Task<UploadResult> UploadAsync(UploadArtifactParams parameters, Asker asker, CancellationToken cancellationToken)
    {
        var account = Look(parameters.AccountId, asker);
        var profile = Registered(account);
        var taskId = TaskId(parameters.TaskId);
        if (parameters.Description is { Length: > 2000 }) throw BridgeException.Invalid("description has more than 2000 characters");
        var own = Path.Combine(account.Files.Folder, "artifacts");
        IReadOnlyList<string> roots = _options.ArtifactRoots.Count > 0 ? [.. _options.ArtifactRoots] : [own];
        var file = ArtifactGate.Open(parameters.FilePath, roots, _options.MaxArtifactBytes, own, [.. _options.RefusedArtifacts]);
        await using (file.ConfigureAwait(false))
        {
            var length = file.Length;
            var hash = Convert.ToHexStringLower(await System.Security.Cryptography.SHA256.HashDataAsync(file, cancellationToken).ConfigureAwait(false));
            file.Position = 0;
            var name = Path.GetFileName(file.Name);
            List<(string, string)> fields = [("task_id", taskId), ("sha256", hash)];
            if (parameters.Description is { Length: > 0 } description) fields.Add(("description", description));
            var answer = await account.Platform.UploadAsync(
                profile, file, name, MimeTypes.Of(name), fields, cancellationToken).ConfigureAwait(false);
            return new UploadResult(account.Id, name, length, hash, answer);
        }
    }

    /// <summary>The account that is meant: the named one, that of the conversation in which the agent calls, or the only one.</summary>
    private InstaClawAccount Look(string? accountId, Asker asker)
    {
        if (string.IsNullOrWhiteSpace(accountId) && asker.SessionKey?.Split(':') is { } parts)
        {
            var at = Array.IndexOf(parts, InstaClawChannel.ChannelId);
            if (at >= 0 && at + 1 < parts.Length) accountId = parts[at + 1];
        }

        return _accounts.Look(accountId, asker.Caller);
    }

    private static Registration.Profile Registered(InstaClawAccount account) =>
        account.Files.ReadProfile() ?? throw new BridgeException(ErrorCodes.Conflict, "The account isn't registered at the platform yet; see instaclaw.registration.get.");

    private static string TaskId(string taskId) =>
        taskId.Length is > 0 and <= 200 && !taskId.Any(char.IsControl) && taskId is not ("." or "..")
            ? taskId
            : throw BridgeException.Invalid("taskId is required, at most 200 characters");

    private static void Query(List<string> query, string name, string? value)
    {
        if (string.IsNullOrWhiteSpace(value)) return;
        if (value.Length > 200) throw BridgeException.Invalid($"{name} has more than 200 characters");
        query.Add($"{name}={Uri.EscapeDataString(value)}");
    }
}
