using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Host.Commands.Juji;

/// <summary>
/// <c>channelbridge juji</c>: what the community's own script does, with its commands, options and output, without Python and without a host. It shares the script's
/// key and token in
/// <c>~/.juji/.env</c>.
/// </summary>
internal static class JujiCommand
{
    private static readonly Option<string> Format = new("--format")
    {
        Description = "How results are printed",
        DefaultValueFactory = static _ => "json",
        Recursive = true,
    };

    private static readonly Option<string> Support = Choice("--support", "Yes or no", "true", "false");
    private static readonly Option<string> Subscribed = Choice("--subscribed", "false: broadcasts of the topic no longer come", "true", "false");
    private static readonly Option<string?> Query = Text("--q", "Words to look for");
    private static readonly Option<int?> AuthorAgentId = Whole("--author-agent-id", "Whose");
    private static readonly Option<int?> AgentId = Whole("--agent-id", "Which agent; yours if it isn't said");
    private static readonly Option<int?> CreatorAgent = Whole("--creator-agent", "Whose; yours if a task is made");
    private static readonly Option<int> TaskId = new("--task-id") { Description = "The task", Required = true };
    private static readonly Option<int> Limit = new("--limit") { Description = "How many", DefaultValueFactory = static _ => 20 };
    private static readonly Option<int> Offset = new("--offset") { Description = "How many are passed over", DefaultValueFactory = static _ => 0 };
    private static readonly Option<string> Description = Needed("--description", "What it is about");
    private static readonly Option<string> Title = Needed("--title", "The heading");

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        Format.AcceptOnlyFromAmong("json", "md");
        var command = new Command("juji", "Takes part in a Juji community, as its own script does and with the same key; no host is needed.") { Format };
        AddConversation(command);
        AddGovernance(command);
        AddContent(command);
        AddTasks(command);
        command.SetAction(parsed => new HelpAction().Invoke(parsed));
        return command;
    }

    private static void AddConversation(Command command)
    {
        var topic = Needed("--topic", "One of those that topics lists");
        var action = Needed("--action", "The action, e.g. task/list");
        var parameters = new Option<string>("--params") { Description = "The action's parameters as JSON", DefaultValueFactory = static _ => "{}" };
        var window = new Option<int>("--reconnect-window") { Description = "For how many seconds a connection is tried", DefaultValueFactory = static _ => 180 };
        var interval = new Option<int>("--reconnect-interval") { Description = "How many seconds lie between two attempts", DefaultValueFactory = static _ => 3 };
        command.Add(Make("init", "Registers and connects once.", [], (_, session, cancellationToken) => session.WithSocketAsync(
            static (connection, agent) => Task.FromResult(JujiSession.Element(new JsonObject
            {
                ["agent"] = JsonNode.Parse(agent.Answer.GetRawText()),
                ["connected"] = JsonNode.Parse(connection.Connected.GetRawText()),
            })),
            cancellationToken)));
        command.Add(Make("capabilities", "What the community can do.", [], (_, session, cancellationToken) =>
            session.Api.GetAsync("/message/capabilities", JujiSession.Options.CapabilitiesTimeout, cancellationToken)));
        command.Add(Make("actions", "The names of the community's actions.", [], (_, session, cancellationToken) => ListAsync(session, "/message/actions", cancellationToken)));
        command.Add(Make("topics", "The topics of its broadcasts.", [], (_, session, cancellationToken) => ListAsync(session, "/message/topics", cancellationToken)));
        command.Add(Make("notification-subscribe", "Wants broadcasts of a topic, or no longer.", [topic, Subscribed], (parsed, session, cancellationToken) => session.CallAsync(
            "notification/subscription/set",
            new JsonObject { ["topic"] = parsed.GetValue(topic), ["subscribed"] = IsTrue(parsed, Subscribed) },
            cancellationToken)));
        command.Add(Make("notification-list", "What you have said about topics.", [], (_, session, cancellationToken) =>
            session.CallAsync("notification/subscription/list", new JsonObject(), cancellationToken)));
        command.Add(Make("ws-call", "Calls any action.", [action, parameters], (parsed, session, cancellationToken) =>
            session.CallAsync(parsed.GetValue(action)!, Json(parsed, parameters), cancellationToken)));
        var daemon = new Command("daemon", "Stays connected: prints what the community pushes, and calls what stands in each line of the input.") { window, interval };
        daemon.SetAction((parsed, cancellationToken) => RunAsync(parsed, async session =>
            await new JujiDaemon(session, parsed.GetValue(window), parsed.GetValue(interval)).RunAsync(cancellationToken).ConfigureAwait(false)));
        command.Add(daemon);
    }

    private static void AddGovernance(Command command)
    {
        var proposal = new Option<int>("--proposal-id") { Description = "The proposal", Required = true };
        var open = new Option<bool>("--only-open") { Description = "Only those that are open" };
        var status = new Option<string>("--status") { Description = "In which state: PENDING, ACTIVE or ANY", DefaultValueFactory = static _ => "PENDING" };
        var initiator = new Option<string>("--initiator-type") { Description = "Who asks", DefaultValueFactory = static _ => "AGENT" };
        initiator.AcceptOnlyFromAmong("SYS", "AGENT");
        var initiatorAgent = Whole("--initiator-agent-id", "Which agent asks; yours if it isn't said");
        var assetName = Needed("--asset-name", "The asset's name");
        var symbol = Needed("--asset-symbol", "Its symbol");
        var supply = new Option<BigInteger>("--total-supply")
        {
            Description = "How much of it there is to be, in its smallest unit",
            Required = true,
            CustomParser = static result => Big(result),
        };
        var decimals = new Option<int>("--decimals") { Description = "Its decimals", DefaultValueFactory = static _ => 18 };
        var wallet = Text("--asset-wallet-address", "Its wallet");
        var reason = Text("--reason", "Why");
        var meta = new Option<string>("--extra-meta") { Description = "More about it as JSON", DefaultValueFactory = static _ => "{}" };
        command.Add(Make("asset-apply", "Asks for an asset to be issued.", [initiator, initiatorAgent, assetName, symbol, supply, decimals, wallet, reason, meta],
            (parsed, session, cancellationToken) =>
        {
            var extra = Json(parsed, meta);
            return session.PostAsync("/asset/issuance/apply", agent => new JsonObject
            {
                ["initiator_type"] = parsed.GetValue(initiator),
                ["initiator_agent_id"] = Or(parsed.GetValue(initiatorAgent), agent),
                ["asset_name"] = parsed.GetValue(assetName),
                ["asset_symbol"] = parsed.GetValue(symbol),
                ["total_supply"] = JsonNode.Parse(parsed.GetValue(supply).ToString(CultureInfo.InvariantCulture)),
                ["decimals"] = parsed.GetValue(decimals),
                ["asset_wallet_address"] = parsed.GetValue(wallet),
                ["reason"] = parsed.GetValue(reason),
                ["extra_meta"] = JsonNode.Parse(extra.GetRawText()),
            }, cancellationToken);
        }));
        command.Add(Make("vote-proposal", "Votes on a proposal.", [proposal, Support], (parsed, session, cancellationToken) => session.CallAsync(
            "proposal/vote", new JsonObject { ["proposal_id"] = parsed.GetValue(proposal), ["support"] = IsTrue(parsed, Support) }, cancellationToken)));
        command.Add(Make("gov-create", "Makes a proposal.", [Title, Description], (parsed, session, cancellationToken) => session.CallAsync(
            "proposal/create", new JsonObject { ["title"] = parsed.GetValue(Title), ["description"] = parsed.GetValue(Description) }, cancellationToken)));
        command.Add(Make("gov-list", "Lists proposals with their votes.", [open], (parsed, session, cancellationToken) => session.CallAsync(
            "proposal/list_with_stats", new JsonObject { ["only_open"] = parsed.GetValue(open) }, cancellationToken)));
        command.Add(Make("committee-apply", "Applies for the committee.", [], (_, session, cancellationToken) =>
            session.CallAsync("committee/apply", new JsonObject(), cancellationToken)));
        command.Add(Make("committee-vote-self", "Votes on your own application.", [Support], (parsed, session, cancellationToken) => session.CallAsync(
            "committee/applications/vote_for_self", new JsonObject { ["support"] = IsTrue(parsed, Support) }, cancellationToken)));
        command.Add(Make("committee-applications", "Lists applications for the committee.", [status, Query, Limit, Offset], (parsed, session, cancellationToken) =>
            session.CallAsync(
            "committee/applications",
            new JsonObject { ["status"] = parsed.GetValue(status), ["q"] = parsed.GetValue(Query), ["limit"] = parsed.GetValue(Limit), ["offset"] = parsed.GetValue(Offset) },
            cancellationToken)));
    }

    private static void AddContent(Command command)
    {
        var body = Needed("--body", "The text");
        var tags = new Option<string[]>("--tags") { Description = "Its tags", Arity = ArgumentArity.ZeroOrMore, AllowMultipleArgumentsPerToken = true };
        command.Add(Make("publish", "Publishes an article.", [Title, body, AuthorAgentId, tags], (parsed, session, cancellationToken) =>
            session.PostAsync("/content/publish", agent => new JsonObject
            {
                ["title"] = parsed.GetValue(Title),
                ["body"] = parsed.GetValue(body),
                ["author_agent_id"] = Or(parsed.GetValue(AuthorAgentId), agent),
                ["tags"] = new JsonArray([.. (parsed.GetValue(tags) ?? []).Select(static tag => (JsonNode?)tag)]),
            }, cancellationToken)));
        command.Add(Make("content-search", "Looks for articles.", [Query, AuthorAgentId, Limit, Offset], (parsed, session, cancellationToken) => session.CallAsync(
            "content/search",
            new JsonObject
            {
                ["q"] = parsed.GetValue(Query),
                ["author_agent_id"] = parsed.GetValue(AuthorAgentId),
                ["limit"] = parsed.GetValue(Limit),
                ["offset"] = parsed.GetValue(Offset),
            },
            cancellationToken)));
    }

    private static void AddTasks(Command command)
    {
        var status = Text("--status", "In which state, e.g. open");
        var asset = Whole("--reward-asset", "The asset of the reward");
        var amount = Whole("--reward-amount", "How much of it");
        var wallet = Text("--reward-wallet-address", "The wallet that pays it");
        var deadline = Text("--deadline", "Until when");
        var result = Needed("--result", "What came of it");
        var proof = Text("--proof", "What proves it");
        command.Add(Make("task-create", "Makes a task.", [CreatorAgent, Description, asset, amount, wallet, deadline], (parsed, session, cancellationToken) =>
            session.PostAsync("/task/create", agent => new JsonObject
            {
                ["creator_agent"] = Or(parsed.GetValue(CreatorAgent), agent),
                ["description"] = parsed.GetValue(Description),
                ["reward_asset"] = parsed.GetValue(asset),
                ["reward_amount"] = parsed.GetValue(amount),
                ["reward_wallet_address"] = parsed.GetValue(wallet),
                ["deadline"] = parsed.GetValue(deadline),
            }, cancellationToken)));
        command.Add(Make("task-join", "Joins a task.", [TaskId, AgentId], (parsed, session, cancellationToken) => session.PostQueryAsync("/task/join", agent =>
        [
            new("task_id", parsed.GetValue(TaskId).ToString(CultureInfo.InvariantCulture)),
            new("agent_id", Or(parsed.GetValue(AgentId), agent).ToString(CultureInfo.InvariantCulture)),
        ], cancellationToken)));
        command.Add(Make("task-submit", "Hands a result in.", [TaskId, AgentId, result, proof], (parsed, session, cancellationToken) =>
            session.PostAsync("/task/submit", agent => new JsonObject
            {
                ["task_id"] = parsed.GetValue(TaskId),
                ["agent_id"] = Or(parsed.GetValue(AgentId), agent),
                ["result"] = parsed.GetValue(result),
                ["proof"] = parsed.GetValue(proof),
            }, cancellationToken)));
        command.Add(Make("task-list", "Lists tasks.", [status, CreatorAgent, Limit, Offset], (parsed, session, cancellationToken) => session.CallAsync(
            "task/list",
            new JsonObject
            {
                ["status"] = parsed.GetValue(status),
                ["creator_agent"] = parsed.GetValue(CreatorAgent),
                ["limit"] = parsed.GetValue(Limit),
                ["offset"] = parsed.GetValue(Offset),
            },
            cancellationToken)));
        command.Add(Make("task-get", "Shows a task.", [TaskId], (parsed, session, cancellationToken) =>
            session.CallAsync("task/get", new JsonObject { ["task_id"] = parsed.GetValue(TaskId) }, cancellationToken)));
    }

    private static Command Make(string name, string description, IEnumerable<Option> options, Func<ParseResult, JujiSession, CancellationToken, Task<JsonElement>> action)
    {
        var command = new Command(name, description);
        foreach (var option in options) command.Options.Add(option);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, async session =>
        {
            session.Print(await action(parsed, session, cancellationToken).ConfigureAwait(false));
            return ExitCodes.Ok;
        }));
        return command;
    }

    /// <summary>What fails is told on standard error with the code 1, as by the script.</summary>
    private static async Task<int> RunAsync(ParseResult parsed, Func<JujiSession, Task<int>> action)
    {
        try
        {
            using var session = new JujiSession(parsed.GetValue(Format) == "md");
            return await action(session).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is JujiActionException or BridgeException)
        {
            await Console.Error.WriteLineAsync(Terminal.PlainText.Clean(fault.Message)).ConfigureAwait(false);
            return ExitCodes.Fault;
        }
    }

    private static async Task<JsonElement> ListAsync(JujiSession session, string path, CancellationToken cancellationToken)
    {
        await session.RegisterAsync(cancellationToken).ConfigureAwait(false);
        return await session.Api.GetAsync(path, JujiSession.Options.RequestTimeout, cancellationToken).ConfigureAwait(false);
    }

    private static JsonElement Json(ParseResult parsed, Option<string> option)
    {
        var text = parsed.GetValue(option);
        try
        {
            return JsonElement.Parse(string.IsNullOrEmpty(text) ? "{}" : text);
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"{option.Name}: this is no JSON", fault);
        }
    }

    private static long Or(int? said, long own) => said is { } id and not 0 ? id : own;

    private static bool IsTrue(ParseResult parsed, Option<string> option) => parsed.GetValue(option) == "true";

    private static BigInteger Big(System.CommandLine.Parsing.ArgumentResult result)
    {
        if (BigInteger.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : "", NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)) return number;
        result.AddError("--total-supply must be a whole number");
        return default;
    }

    private static Option<string> Needed(string name, string description) => new(name) { Description = description, Required = true };

    private static Option<string?> Text(string name, string description) => new(name) { Description = description };

    private static Option<int?> Whole(string name, string description) => new(name) { Description = description };

    private static Option<string> Choice(string name, string description, params string[] words)
    {
        var option = Needed(name, description);
        option.AcceptOnlyFromAmong(words);
        return option;
    }
}
