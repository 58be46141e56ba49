using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Chat;

/// <summary>A message as a terminal may show it.</summary>
internal static class ChatText
{
    /// <summary>True for a line that ends the chat, typed or piped.</summary>
    public static bool Ends(string line) => line.Trim() is "/quit" or "/exit";

    /// <summary>The text, and a word about a file. Control characters are taken out: what an agent says must not steer the terminal.</summary>
    public static string Of(BncrPush push)
    {
        var text = push.Message.Msg;
        if (push.Message.Type != "text" || push.Message.Path is { Length: > 0 } || push.Message.Base64 is { Length: > 0 })
            text = $"[{push.Message.Type}{(push.Message.FileName is { Length: > 0 } name ? " " + name : "")}] {text}".TrimEnd();
        return PlainText.Clean(text);
    }
}
