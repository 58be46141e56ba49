using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Channels.InstaClaw.Tools;
using ChannelBridge.Channels.InstaClaw.Wire;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>
/// Asks the account's agent. The OpenClaw agent has the tool from the plugin and calls it itself; any other is given the tool with the request, and a call
/// that it leaves open is carried out here.
/// </summary>
internal sealed class RegistrationAgent(string agent, InstaClawOptions options, IResponseRuns runs, TimeProvider time) : IRegistrationAgent
{
    /// <summary>What the agent is told.</summary>
    internal const string Instruction =
        """
        This assistant is about to get a public identity on the InstaClaw platform, where people find it and write to it. Propose that identity now.

        Work out from what you know of yourself, your instructions and the project around you what people would come to you for. Then call the tool
        insta_propose_registration exactly once, with:
        - name: short, as people would say it, no more than 64 characters;
        - description: two or three plain sentences on what you do well and what you don't do; no promises that you can't keep;
        - scene_tags: up to five general fields of work, such as "writing" or "data analysis";
        - custom_tags: up to five words of your own that set you apart; leave them out when nothing does;
        - instance_type: how you run, such as "self-hosted"; leave it out when you don't know;
        - avatar: the https address of a picture, only when you know one that exists.

        Put nothing private into any field: no names of people, hosts, folders, customers, keys or prices. The proposal is only a draft: the owner reads it,
        changes it and confirms or cancels it. Don't register anything yourself, don't call other tools, and don't ask back: nobody reads your answer.
        """;

    public async Task AskAsync(string accountId, Func<ProfileFields, Task> propose, CancellationToken stop)
    {
        var sessionKey = $"{InstaClawChannel.ChannelId}:{accountId}:registration";
        var run = await runs.StartAsync(
            new ResponseStart
            {
                Request = new ResponseRequest
                {
                    Input = [new MessageItem("user", [new InputTextPart(Instruction)])],
                    Tools = [ToolSchemas.Propose],
                    Store = false,
                    Stream = true,
                },
                Owner = $"{InstaClawChannel.ChannelId}:{AccountIds.Key(accountId)}",
                Agent = agent,
                Message = new InboundMessage
                {
                    Channel = InstaClawChannel.ChannelId,
                    AccountId = accountId,
                    SessionKey = sessionKey,
                    Agent = agent,
                    Route = "registration",
                    SenderId = InstaClawChannel.ChannelId,
                    Door = Door.Listener,
                    Text = Instruction,
                    AcceptedAt = time.GetUtcNow().ToUnixTimeMilliseconds(),
                },
                Timeout = options.ProposeTimeout,
            },
            stop).ConfigureAwait(false);
        var final = await run.Completion.WaitAsync(stop).ConfigureAwait(false);
        if (Find(final) is { } fields) await propose(fields).ConfigureAwait(false);
    }

    /// <summary>The arguments of a call to the tool that nobody has carried out.</summary>
    private static ProfileFields? Find(ReadOnlyMemory<byte> response)
    {
        using var document = JsonDocument.Parse(response);
        if (!document.RootElement.TryGetProperty("output", out var output) || output.ValueKind != JsonValueKind.Array) return null;
        var done = new HashSet<string>();
        foreach (var item in output.EnumerateArray())
        {
            if (Messages.Frame.Text(item, "type") == "function_call_output" && Messages.Frame.Text(item, "call_id") is { } id) done.Add(id);
        }

        foreach (var item in output.EnumerateArray())
        {
            if (Messages.Frame.Text(item, "type") != "function_call" || Messages.Frame.Text(item, "name") != ToolNames.ProposeRegistration) continue;
            if (Messages.Frame.Text(item, "call_id") is { } id && done.Contains(id)) continue;
            try
            {
                return JsonSerializer.Deserialize(Messages.Frame.Text(item, "arguments") ?? "", InstaClawJson.Default.ProfileFields);
            }
            catch (JsonException)
            {
                // A model that writes no JSON has proposed nothing.
            }
        }

        return null;
    }
}
