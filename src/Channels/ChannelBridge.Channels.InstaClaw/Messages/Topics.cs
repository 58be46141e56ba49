namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>The topics. Messages go by the platform's own two; the control topics are this channel's choice (docs/instaclaw.md).</summary>
internal static class Topics
{
    public const string UserMessages = "/v1.0/im/user/messages";
    public const string BotMessages = "/v1.0/im/bot/messages";
    public const string Control = "/v1.0/im/user/control";
    public const string ControlAnswers = "/v1.0/im/bot/control";
}
