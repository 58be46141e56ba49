using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>The options by which <c>dead-letters</c> commands say which ones they mean.</summary>
internal sealed class DeadLetterOptions
{
    private readonly Argument<string[]> _ids = new("ID") { Description = "Message ids; none: those that the filters name", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string?> _channel = new("--channel") { Description = "Only this channel [default: every one; with --route the only one]", HelpName = "ID" };
    private readonly Option<string?> _account = new("--account") { Description = "Only this account", HelpName = "ID" };
    private readonly Option<string?> _route = new("--route") { Description = "Only this conversation, e.g. Bncr:qq:888888 or a session key", HelpName = "TARGET" };
    private readonly Option<string?> _reason =
        new("--reason") { Description = "Only this reason, e.g. fatal-ack, push-retry-limit, expired", HelpName = "REASON" };
    private readonly Option<string?> _olderThan = new("--older-than") { Description = "Only those accepted at least this long ago, e.g. 90s, 30m, 12h, 7d", HelpName = "AGE" };
    private readonly Option<bool> _inbox = new("--inbox")
    {
        Description = "Only messages that no agent answered (their turns were given "
        + "up), not replies that couldn't be delivered"
    };
    private readonly Option<bool> _all = new("--all") { Description = "Every dead letter" };
    private readonly Option<int?> _limit = new("--limit") { HelpName = "N" };
    private readonly bool _selects;
    private readonly bool _needsAge;
    private readonly bool _mayName;

    /// <param name="selects">True: the command changes what it names, so something must be named.</param>
    /// <param name="mayName">True: messages may be named by id.</param>
    /// <param name="needsAge">True: the age must be said.</param>
    public DeadLetterOptions(bool selects, bool mayName = false, bool needsAge = false)
    {
        (_selects, _mayName, _needsAge) = (selects, mayName, needsAge);
        _olderThan.Required = needsAge;
        var (most, usual) = selects ? (10_000, 1000) : (1000, 100);
        _limit.Description = $"At most this many, 1 to {most} [default: {usual}]";
        _limit.Validators.Add(result =>
        {
            if (result.GetValue(_limit) is { } limit && (limit < 1 || limit > most)) result.AddError($"--limit must be 1 to {most}");
        });
        _olderThan.Validators.Add(result =>
        {
            if (result.GetValue(_olderThan) is { } age && SettingText.ParseDuration(age) is null)
                result.AddError($"--older-than: '{age}' is not a length of time; write a number with s, m, h or d, e.g. 7d");
        });
    }

    /// <summary>Adds the options to a command, and the check that something is named.</summary>
    public void AddTo(Command command)
    {
        if (_mayName) command.Arguments.Add(_ids);
        foreach (var option in new Option[] { _channel, _account, _route, _reason, _olderThan, _inbox, _limit }) command.Options.Add(option);
        if (!_selects || _needsAge) return;
        command.Options.Add(_all);
        command.Validators.Add(result =>
        {
            var named = _mayName && result.GetValue(_ids) is { Length: > 0 };
            var filtered = new Option[] { _channel, _account, _route, _reason, _olderThan }.Any(option => result.GetResult(option) is not null);
            var all = result.GetValue(_all);
            if (!named && !filtered && !all) result.AddError("say which ones: ids, a filter (--account, --route, --reason, --older-than, --channel), or --all");
            if (named && (filtered || all)) result.AddError("name messages either by id or by filters, not both");
        });
    }

    /// <summary>The parameters for the method.</summary>
    public JsonObject Read(ParseResult parsed)
    {
        var parameters = new JsonObject();
        if (_mayName && parsed.GetValue(_ids) is { Length: > 0 } ids) parameters["messageIds"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]);
        if (parsed.GetValue(_inbox)) parameters["box"] = "inbox";
        if (parsed.GetValue(_channel) is { } channel) parameters["channel"] = channel;
        if (parsed.GetValue(_account) is { } account) parameters["accountId"] = account;
        if (parsed.GetValue(_route) is { } route) parameters["route"] = route;
        if (parsed.GetValue(_reason) is { } reason) parameters["reason"] = reason;
        if (parsed.GetValue(_olderThan) is { } age) parameters["olderThanMs"] = (long)SettingText.ParseDuration(age)!.Value.TotalMilliseconds;
        if (parsed.GetValue(_limit) is { } limit) parameters["limit"] = limit;
        if (_selects && !_needsAge && parsed.GetValue(_all)) parameters["all"] = true;
        return parameters;
    }
}
