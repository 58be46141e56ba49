using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Aun.Connector;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>The folder of identities as the SDKs have it.</summary>
public sealed class FolderTests
{
    private const string Aid = "alice.example.org";

    [Theory]
    [InlineData("withPassword", 0)]
    [InlineData("withPassword", 1)]
    [InlineData("withSeed", 0)]
    [InlineData("withSeed", 1)]
    public void AKeyOfAnotherImplementation_IsRead(string how, int number)
    {
        using var stream = typeof(FolderTests).Assembly.GetManifestResourceStream("key_files.json")!;
        var all = JsonNode.Parse(stream)!;
        var path = Scratch.NewFolder("aunkeys");
        Directory.CreateDirectory(Path.Combine(path, "AIDs", Aid, "private"));
        File.WriteAllBytes(Path.Combine(path, ".seed"), Convert.FromBase64String((string)all["seed"]!));
        var file = all[how]![number]!;
        File.WriteAllText(Path.Combine(path, "AIDs", Aid, "private", "key.json"), file.ToJsonString());

        using var folder = new IdentityFolder(path, Aid, how == "withPassword" ? (string)all["password"]! : null);
        using var key = folder.LoadKey()!;

        Assert.Equal((string)file["public_key_der_b64"]!, Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()));
    }

    [Fact]
    public void AKey_IsReadAgain_ButNotWithAnotherPassword()
    {
        var path = Scratch.NewFolder("aunkeys");
        using var folder = new IdentityFolder(path, Aid, "one");
        using var made = folder.CreateKey();
        using var again = new IdentityFolder(path, Aid, "one");
        using var read = again.LoadKey()!;
        Assert.Equal(made.ExportSubjectPublicKeyInfo(), read.ExportSubjectPublicKeyInfo());
        // Who comes second takes what is there.
        using var second = again.CreateKey();
        Assert.Equal(made.ExportSubjectPublicKeyInfo(), second.ExportSubjectPublicKeyInfo());

        using var wrong = new IdentityFolder(path, Aid, "two");
        Assert.Contains("SeedPassword", Assert.Throws<BridgeException>(wrong.LoadKey).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"private_key_protection":{"scheme":"dpapi"}}""")]
    [InlineData("""{"private_key_protection":{"scheme":"file_aes","nonce":"zz","ciphertext":"zz","tag":"zz"}}""")]
    [InlineData("""{"private_key_pem":"nonsense"}""")]
    public void AKeyThatCantBeRead_IsAnError_AndNeverReplaced(string text)
    {
        var path = Scratch.NewFolder("aunkeys");
        using var folder = new IdentityFolder(path, Aid, "one");
        Directory.CreateDirectory(Path.GetDirectoryName(folder.KeyPath)!);
        File.WriteAllText(folder.KeyPath, text);

        Assert.ThrowsAny<BridgeException>(folder.LoadKey);
        Assert.Equal(text, File.ReadAllText(folder.KeyPath));
    }

    [Fact]
    public void Tokens_AreKeptSealed_AndWhatElseIsInTheFileStays()
    {
        var path = Scratch.NewFolder("aunkeys");
        using var folder = new IdentityFolder(path, Aid, "one");
        Directory.CreateDirectory(Path.GetDirectoryName(folder.TokensPath)!);
        File.WriteAllText(folder.TokensPath, """{"of_another_program":7}""");
        folder.SaveTokens(new AunTokens("the-access-token", "the-refresh-token", 5, "ws://127.0.0.1/aun"));

        var text = File.ReadAllText(folder.TokensPath);
        Assert.DoesNotContain("the-", text, StringComparison.Ordinal);
        Assert.Equal(7, (int)JsonNode.Parse(text)!["of_another_program"]!);
        Assert.Equal("the-refresh-token", folder.LoadTokens()!.Refresh);
        folder.SaveTokens(null);
        Assert.Null(folder.LoadTokens());
        File.WriteAllText(folder.TokensPath, "{");
        Assert.Null(folder.LoadTokens());
    }

    [Fact]
    public void TheDevice_IsOneForTheFolder()
    {
        var path = Scratch.NewFolder("aunkeys");
        using var alice = new IdentityFolder(path, Aid, null);
        using var bob = new IdentityFolder(path, "bob.example.org", null);
        Assert.Equal(alice.DeviceId(), bob.DeviceId());
        File.WriteAllBytes(Path.Combine(path, ".device_id"), Encoding.UTF8.GetBytes("of-the-sdk\n"));
        Assert.Equal("of-the-sdk", alice.DeviceId());
    }
}
