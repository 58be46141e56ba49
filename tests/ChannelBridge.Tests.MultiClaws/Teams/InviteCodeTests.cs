using System.Buffers.Text;
using System.Text;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class InviteCodeTests
{
    private static readonly byte[] s_secret = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)];

    [Fact]
    public void Code_IsReadWithAndWithoutPrefix()
    {
        var code = new InviteCode("11111111-2222-3333-4444-555555555555", "http://192.168.1.7:3100", s_secret);
        var text = code.Write();
        Assert.StartsWith("mc:", text, StringComparison.Ordinal);
        Assert.Equal(code, InviteCode.Parse(text));
        Assert.Equal(code, InviteCode.Parse(" " + text[3..] + "\n"));
        Assert.DoesNotContain(Base64Url.EncodeToString(s_secret), code.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Code_OfANodeWithoutKeys_HasNoSecret()
    {
        var text = "mc:" + Base64Url.EncodeToString("{\"t\":\"abc\",\"u\":\"http://10.0.0.1:3100/\"}"u8);
        Assert.Equal(new InviteCode("abc", "http://10.0.0.1:3100", null), InviteCode.Parse(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("mc:")]
    [InlineData("mc:!!!!")]
    [InlineData("not a code at all")]
    [InlineData("{}")]
    [InlineData("{\"t\":\"abc\"}")]
    [InlineData("{\"t\":\"../x\",\"u\":\"http://10.0.0.1\"}")]
    [InlineData("{\"t\":\"abc\",\"u\":\"ftp://10.0.0.1\"}")]
    [InlineData("{\"t\":\"abc\",\"u\":\"http://user:pw@10.0.0.1\"}")]
    [InlineData("{\"t\":\"abc\",\"u\":\"http://10.0.0.1\",\"s\":\"short\"}")]
    [InlineData("{\"t\":\"abc\",\"u\":5}")]
    [InlineData("[1]")]
    public void Garbage_IsNoCode(string text)
    {
        Assert.Null(InviteCode.Parse(text));
        Assert.Null(InviteCode.Parse("mc:" + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text))));
    }

    [Fact]
    public void Code_CutAnywhere_IsNone()
    {
        var text = new InviteCode("abc", "http://192.168.1.7:3100", s_secret).Write();
        for (var length = 0; length < text.Length; length++) Assert.Null(InviteCode.Parse(text[..length]));
        Assert.Null(InviteCode.Parse(text + new string('A', 1 << 20)));
    }
}
