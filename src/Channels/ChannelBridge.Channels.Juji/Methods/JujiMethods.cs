using System.Globalization;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Juji.Connector;

namespace ChannelBridge.Channels.Juji.Methods;

/// <summary><c>juji.*</c>: what a member of the community may do there. The community decides what may be called; no list here does.</summary>
internal sealed class JujiMethods(AccountBook accounts, AnswerBook answers)
{
    private const int MostAnswers = 20;

    /// <summary>The methods.</summary>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("juji.call", Scopes.Write, "Calls an action of the Juji community over the account's connection.", JujiJson.Relaxed.CallParams,
            JujiJson.Relaxed.CallResult, CallAsync),
        RpcMethod.Create("juji.request", Scopes.Write, "Sends an HTTP request below the Juji community's address, for what has no action.", JujiJson.Relaxed.RequestParams,
            JujiJson.Relaxed.RequestResult, RequestAsync),
        RpcMethod.Create("juji.capabilities", Scopes.Read, "What the Juji community can do: its actions with their parameters, its REST paths.", JujiJson.Relaxed.AskParams,
            JujiJson.Relaxed.AskResult, AskFor("/message/capabilities")),
        RpcMethod.Create("juji.actions", Scopes.Read, "The names of the Juji community's actions.", JujiJson.Relaxed.AskParams, JujiJson.Relaxed.AskResult,
            AskFor("/message/actions")),
        RpcMethod.Create("juji.topics", Scopes.Read, "The topics of the Juji community's broadcasts.", JujiJson.Relaxed.AskParams, JujiJson.Relaxed.AskResult,
            AskFor("/message/topics")),
        RpcMethod.Create("juji.subscribe", Scopes.Write, "Wants broadcasts of a topic, or no longer.", JujiJson.Relaxed.SubscribeParams, JujiJson.Relaxed.AskResult,
            SubscribeAsync),
        RpcMethod.Create("juji.subscriptions", Scopes.Read, "Which topics the account has said something about.", JujiJson.Relaxed.AccountParams, JujiJson.Relaxed.AskResult,
            SubscriptionsAsync),
        RpcMethod.Create("juji.status", Scopes.Read, "How the Juji accounts stand, and what the agent last answered to pushes without a target.", JujiJson.Relaxed.AccountParams,
            JujiJson.Relaxed.StatusResult, StatusAsync),
    ];

    /// <summary>How an account stands.</summary>
    public static AccountStatus Describe(JujiAccount account)
    {
        var (link, desk) = (account.Link, account.Desk);
        return new AccountStatus
        {
            AccountId = account.Id,
            State = link.State.ToString().ToLowerInvariant(),
            BaseUrl = AddressOf(account),
            AgentId = At(link.AgentId),
            LastError = link.LastError,
            ConnectedAt = At(link.ConnectedAt),
            LastHeardAt = At(link.HeardAt),
            ReconnectAttempts = link.Attempts,
            PendingCalls = account.Calls.Count,
            LateAnswers = account.Calls.Late,
            Ignored = link.Garbage,
            Pushes = desk.Taken,
            DuplicatePushes = desk.Duplicates,
            UnroutedPushes = desk.Unrouted,
            LostPushes = desk.Dropped + desk.Failed,
        };
    }

    /// <summary>Calls an action for a caller.</summary>
    public async ValueTask<CallResult> CallAsync(CallParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        if (parameters.TimeoutMs is <= 0) throw BridgeException.Invalid("timeoutMs must be above 0");
        TimeSpan? timeout = parameters.TimeoutMs is { } asked ? TimeSpan.FromMilliseconds(asked) : null;
        var result = await account.CallAsync(parameters.Action, parameters.Params ?? default, timeout, cancellationToken).ConfigureAwait(false);
        return new CallResult(account.Id, parameters.Action, Optional(result));
    }

    /// <summary>Asks for the capabilities for a caller.</summary>
    public Func<AskParams, MethodCall, CancellationToken, ValueTask<AskResult>> AskFor(string path) => async (parameters, call, cancellationToken) =>
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        return new AskResult(account.Id, Optional(await account.AskAsync(path, parameters.Fresh, cancellationToken).ConfigureAwait(false)));
    };

    private async ValueTask<RequestResult> RequestAsync(RequestParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        var method = (parameters.Method ?? "GET").ToUpperInvariant() switch
        {
            "GET" => HttpMethod.Get,
            "POST" => HttpMethod.Post,
            "PUT" => HttpMethod.Put,
            "PATCH" => HttpMethod.Patch,
            "DELETE" => HttpMethod.Delete,
            _ => throw BridgeException.Invalid("method must be GET, POST, PUT, PATCH or DELETE"),
        };
        var url = account.Api.Address.Below(parameters.Path, QueryOf(parameters.Query));
        var json = parameters.Body is { ValueKind: not JsonValueKind.Undefined } body ? Encoding.UTF8.GetBytes(body.GetRawText()) : [];
        if (json.Length > 0 && method == HttpMethod.Get) throw BridgeException.Invalid("a GET has no body");
        var answer = await account.RequestAsync(method, url, json, cancellationToken).ConfigureAwait(false);
        try
        {
            return new RequestResult(account.Id, answer.Status, answer.Content.IsEmpty ? null : JsonElement.Parse(answer.Content.Span), null);
        }
        catch (JsonException)
        {
            return new RequestResult(account.Id, answer.Status, null, Encoding.UTF8.GetString(answer.Content.Span));
        }
    }

    private async ValueTask<AskResult> SubscribeAsync(SubscribeParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("topic"u8, parameters.Topic);
            writer.WriteBoolean("subscribed"u8, parameters.Subscribed);
            writer.WriteEndObject();
        }

        var wish = JsonElement.Parse(buffer.ToArray());
        return new AskResult(account.Id, Optional(await account.CallAsync("notification/subscription/set", wish, null, cancellationToken).ConfigureAwait(false)));
    }

    private async ValueTask<AskResult> SubscriptionsAsync(AccountParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        return new AskResult(account.Id, Optional(await account.CallAsync("notification/subscription/list", default, null, cancellationToken).ConfigureAwait(false)));
    }

    private async ValueTask<StatusResult> StatusAsync(AccountParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var asked = parameters.AccountId is { Length: > 0 } named ? [accounts.Look(named, call.Caller)] : accounts.All.Where(account => call.Caller.MayUseAccount(account.Id));
        var found = new List<AccountStatus>();
        foreach (var account in asked)
        {
            found.Add(Describe(account) with { Answers = await answers.ListAsync(account.Id, MostAnswers, cancellationToken).ConfigureAwait(false) });
        }

        return new StatusResult(found);
    }

    private static List<KeyValuePair<string, string>> QueryOf(JsonElement? query)
    {
        var found = new List<KeyValuePair<string, string>>();
        if (query is not { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } given) return found;
        if (given.ValueKind != JsonValueKind.Object) throw BridgeException.Invalid("query must be an object");
        foreach (var member in given.EnumerateObject())
        {
            var values = member.Value.ValueKind == JsonValueKind.Array ? member.Value.EnumerateArray().ToList() : [member.Value];
            foreach (var value in values)
            {
                found.Add(KeyValuePair.Create(member.Name, value.ValueKind switch
                {
                    JsonValueKind.String => value.GetString()!,
                    JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
                    _ => throw BridgeException.Invalid(
                        string.Create(CultureInfo.InvariantCulture, $"query.{member.Name} must be a text, a number or a truth value, or a list of those")),
                }));
            }
        }

        return found;
    }

    private static string? AddressOf(JujiAccount account)
    {
        try
        {
            return account.Api.Address.ToString();
        }
        catch (BridgeException)
        {
            return null;
        }
    }

    private static JsonElement? Optional(JsonElement value) => value.ValueKind == JsonValueKind.Undefined ? null : value;

    private static long? At(long time) => time > 0 ? time : null;
}
